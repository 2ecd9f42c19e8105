"""Where examples come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from polydiff.data.example import Example


@runtime_checkable
class Source(Protocol):
    """A finite, indexable collection of examples, built from a recipe's options.

    `source[i]` is the same example each time, in any process. When the item cannot be read, it raises a
    `DataError` whose message begins with the item's name.
    """

    @property
    def classes(self) -> Sequence[str]:
        """The labels that occur, in the order of their indices; empty when there are none."""

    @property
    def unreadable(self) -> Sequence[str]:
        """One line for each item that was left out when the source was scanned: its name and why."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...

    def name(self, index: int) -> str:
        """Say which item this is, without reading it."""

    def label(self, index: int) -> str | None:
        """Give an item's label without reading its content."""
