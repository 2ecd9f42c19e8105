"""PointFlow's sampled ShapeNet."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from polydiff.data.example import Example
from polydiff.errors import DataError, UsageError, unknown
from polydiff_pointcloud.folder import Folder
from polydiff_pointcloud.shapenet import CATEGORIES, NAMES

_POINTS = 15000
"""Of each shape."""


class PC15k:
    """Shapes of ShapeNet as PointFlow (Yang et al. 2019, https://arxiv.org/abs/1906.12320) published them, as they are.

    The layout is `path/<synset>/<split>/<shape>.npy`, each of 15,000 points. The label is the category's name, or the
    name of its folder where that is none of ShapeNet's synsets. Shapes are neither moved nor scaled: the codec's
    `normalize: data` brings all of them to one place and scale, as PointFlow does.

    Parameters
    ----------
    path
        The folder, `ShapeNetCore.v2.PC15k`.
    split
        Which of the published parts: `train`, `val` or `test`.
    categories
        Names such as airplane, chair and car, or synsets; all that are there, when left out.

    Raises
    ------
    UsageError
        When a category is not ShapeNet's, or named twice.
    DataError
        When the folder does not have the layout, or a category is not there.
    """

    def __init__(
        self,
        path: Path,
        split: Literal["train", "val", "test"] = "train",
        categories: tuple[str, ...] | None = None,
    ) -> None:
        root = Path(path).expanduser()
        names = _there(root, split) if categories is None else _named(categories)
        self.split = split
        self._folders = {name: Folder(root / name / split, _POINTS, normalize="none") for name in names}
        self._names = tuple(names)
        self._ends = list(accumulate(len(folder) for folder in self._folders.values()))
        self.classes: Sequence[str] = sorted(NAMES.get(name, name) for name in names)
        self.unreadable: Sequence[str] = [
            f"{name}/{split}/{line}" for name, folder in self._folders.items() for line in folder.unreadable
        ]

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Example:
        """Read a shape; raise `DataError`, with its name, when that fails."""
        name, place = self._place(index)
        try:
            example = self._folders[name][place]
        except DataError as error:
            raise DataError(f"{name}/{self.split}/{error}") from error
        return replace(example, name=self.name(index), label=self.label(index))

    def name(self, index: int) -> str:
        """Give a file's path in the folder."""
        name, place = self._place(index)
        return f"{name}/{self.split}/{self._folders[name].name(place)}"

    def label(self, index: int) -> str:
        """Give the category's name."""
        name = self._place(index)[0]
        return NAMES.get(name, name)

    def identity(self, index: int) -> dict[str, Any]:
        """Say all that a shape depends on beside the options."""
        name, place = self._place(index)
        return self._folders[name].identity(place)

    def _place(self, index: int) -> tuple[str, int]:
        """Give the category's folder, and which of its shapes it is."""
        place = bisect_right(self._ends, index)
        return self._names[place], index - (self._ends[place - 1] if place else 0)


def _named(categories: tuple[str, ...]) -> list[str]:
    for name in categories:
        if name not in CATEGORIES and name not in NAMES:
            raise UsageError(unknown("category of ShapeNet", name, CATEGORIES))
    synsets = [CATEGORIES.get(name, name) for name in categories]
    if not synsets or len(set(synsets)) < len(synsets):
        raise UsageError(f"categories are {', '.join(categories) or 'none'}; name at least one, and each once")
    return synsets


def _there(root: Path, split: str) -> list[str]:
    if not root.is_dir():
        raise DataError(f"{root}: {'is no folder' if root.exists() else 'there is no such folder'}")
    names = sorted(folder.parent.name for folder in root.glob(f"*/{split}") if folder.is_dir())
    if not names:
        raise DataError(f"{root}: has no folder <synset>/{split}; is it ShapeNetCore.v2.PC15k?")
    return names
