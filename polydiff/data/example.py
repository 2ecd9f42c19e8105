"""One item of training data, before a codec makes a tensor of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CONTENT: Final = "content"
"""The fact that an example is itself, for conditioners that tell a network something of it."""


@dataclass(frozen=True, slots=True)
class Example:
    """A picture, a sound, a shape, ... and what is known of it.

    Attributes
    ----------
    content
        What the modality's codec encodes.
    name
        Says which item this is, in errors and reports: a path or an index.
    label
        The class, or `None`.
    caption
        Free text, or `None`.
    attributes
        Further named facts: numbers, texts, or paths of files for a conditioner to read.
    """

    content: Any
    name: str
    label: str | None = None
    caption: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> list[str]:
        """Name the facts that are known."""
        facts = {"label": self.label, "caption": self.caption, **self.attributes}
        return [key for key, value in facts.items() if value is not None]

    def get(self, key: str) -> Any:
        """Give the fact of that name: "label", "caption", "content" or an attribute; `None` when it is not known."""
        if key == CONTENT:
            return self.content
        if key == "label":
            return self.label
        return self.caption if key == "caption" else self.attributes.get(key)
