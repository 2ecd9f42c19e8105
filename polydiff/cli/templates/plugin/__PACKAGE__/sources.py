"""Where curves come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polydiff.data.example import Example
from polydiff.data.folder import FolderSource
from polydiff.data.shards import sharded
from polydiff.data.tables import hugging_face, parquet, tabled
from polydiff.data.file import File
from polydiff.errors import DataError


class Waves:
    """Synthetic waves of amplitude 1: one to three periods from a random phase on.

    Parameters
    ----------
    count
        How many there are.
    points
        Samples of each.
    seed
        Another seed gives other waves.
    """

    classes: Sequence[str] = ("sine", "square", "triangle")
    unreadable: Sequence[str] = ()

    def __init__(self, count: int = 2000, points: int = 64, seed: int = 0) -> None:
        self.count = count
        self.points = points
        self.seed = seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """Make a wave; it depends on the seed and the index alone."""
        rng = np.random.default_rng([self.seed, index])
        cycles = rng.uniform() + rng.integers(1, 4) * np.arange(self.points) / self.points
        sine = np.sin(2 * np.pi * cycles)
        label = self.label(index)
        curve = {"sine": sine, "square": np.sign(sine), "triangle": 2 / np.pi * np.arcsin(sine)}[label]
        return Example(curve.astype(np.float32), self.name(index), label)

    def name(self, index: int) -> str:
        """Give "wave 17"."""
        return f"wave {index}"

    def label(self, index: int) -> str:
        """Take the classes in turn."""
        return self.classes[index % len(self.classes)]


class Folder(FolderSource):
    """Text files with a number a line; lines that begin with # are comments.

    Parameters
    ----------
    path
        The folder; the sub-folder that a file lies in is its label.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, {".txt", ".csv"})

    def check(self, path: File) -> None:
        """Read the whole file, which is small."""
        self.read(path)

    def read(self, path: File) -> NDArray[np.float32]:
        """Give the numbers of a file."""
        try:
            lines = path.read_bytes().decode("utf-8").splitlines()
            curve = np.array([float(line) for line in lines if line and not line.startswith("#")], np.float32)
        except (OSError, ValueError) as error:
            raise DataError(str(error)) from error
        if len(curve) < 2 or not np.isfinite(curve).all():
            raise DataError("a curve has two numbers or more, all of them finite")
        return curve


WebDataset = sharded(Folder)
Parquet = tabled(Folder, parquet)
HuggingFace = tabled(Folder, hugging_face)
