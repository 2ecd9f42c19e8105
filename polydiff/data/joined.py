"""Several sources as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polydiff.data.example import Example
from polydiff.data.source import Source
from polydiff.errors import DataError


class Joined:
    """The items of several sources, one source after the other.

    The names of all but the first source's begin with the source's: a name may be there in several of them.

    Parameters
    ----------
    sources
        By name, in order.
    """

    def __init__(self, sources: dict[str, Source]) -> None:
        self.sources = list(sources.values())
        self.prefixes = [f"{name}/" if place else "" for place, name in enumerate(sources)]
        self.starts = np.cumsum([0, *map(len, self.sources)])

    @property
    def classes(self) -> Sequence[str]:
        """The labels of all sources: the first's, then what others add."""
        return list(dict.fromkeys(label for source in self.sources for label in source.classes))

    @property
    def unreadable(self) -> Sequence[str]:
        """One line for each item that a source left out."""
        pairs = zip(self.prefixes, self.sources, strict=True)
        return [f"{prefix}{line}" for prefix, source in pairs for line in source.unreadable]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: int) -> Example:
        """Read an item; raise `DataError`, with its name, when that fails."""
        place, within = self.locate(index)
        try:
            example = self.sources[place][within]
        except DataError as error:
            raise DataError(f"{self.prefixes[place]}{error}") from error
        return Example(example.content, self.name(index), example.label, example.caption, example.attributes)

    def name(self, index: int) -> str:
        """Give an item's name, which begins with its source's."""
        place, within = self.locate(index)
        return self.prefixes[place] + self.sources[place].name(within)

    def label(self, index: int) -> str | None:
        """Give an item's label."""
        place, within = self.locate(index)
        return self.sources[place].label(within)

    def place(self, index: int) -> int:
        """Tell which source an item is of, counted from 0."""
        return self.locate(index)[0]

    def locate(self, index: int) -> tuple[int, int]:
        """Tell which source an item is of, and which of its items it is, both counted from 0."""
        place = int(np.searchsorted(self.starts, index, side="right")) - 1
        return place, index - int(self.starts[place])
