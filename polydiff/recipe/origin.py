"""Where each part of a recipe was written, so that any later error can say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polydiff.errors import RecipeError, short

KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead to a value."""

Locations = Mapping[KeyPath, str]
"""Where values were written: "my.yaml:12" or "override 'train.steps=5'"; `()` is the recipe itself."""


def dotted(path: KeyPath) -> str:
    """Write a path as overrides do: "sample.guidance.0.scale"."""
    return ".".join(short(key) if isinstance(key, str) else str(key) for key in path)


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a recipe."""

    locations: Locations
    path: KeyPath = ()

    def at(self, *keys: str | int) -> Origin:
        """Go down by some keys."""
        return Origin(self.locations, (*self.path, *keys))

    def __str__(self) -> str:
        """Say the place for the start of an error: "my.yaml:12: train.steps"."""
        known = next(self.path[:n] for n in range(len(self.path), -1, -1) if self.path[:n] in self.locations)
        return ": ".join(filter(None, (self.locations[known], dotted(self.path))))

    def error(self, message: str) -> RecipeError:
        """Make the error that names this place."""
        return RecipeError(f"{self}: {message}")
