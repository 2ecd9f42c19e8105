"""Points as a file has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polydiff.errors import DataError
from polydiff_pointcloud.cloud import PointCloud, check_range
from polydiff_pointcloud.normalising import normalise, upright
from polydiff_pointcloud.reading.options import Options

Numbers = NDArray[Any]

NAMES = {"normals": "normals", "colors": "colours"}
"""What messages call the parts that options name."""

_FULL = {"u1": 255, "u2": 65535}
"""What full intensity is in types of integers."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Rows of numbers of any type, (N, 3) each; parts that a file lacks, or that nobody asked for, are `None`."""

    points: Numbers
    normals: Numbers | None = None
    colors: Numbers | None = None

    def cloud(self, options: Options) -> PointCloud:
        """Make a cloud of them.

        Raises
        ------
        DataError
            When a number is not finite or out of range, a normal has no length, or what is asked for is not there.
        """
        check_finite(self.points, "point")
        points = normalise(upright(self.points, options.up), options.normalize)
        check_range(points)
        return PointCloud(
            points.astype(np.float32),
            _unit(upright(_asked(self.normals, "normals"), options.up)) if options.normals else None,
            _intensities(_asked(self.colors, "colors")) if options.colors else None,
        )


def check_finite(rows: Numbers, noun: str) -> None:
    """Raise `DataError` for the first of the rows that is not finite."""
    faults = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(faults):
        row = ", ".join(f"{value:g}" for value in rows[faults[0]])
        raise DataError(f"has a {noun} at ({row}), which is not finite")


def _asked(part: Numbers | None, name: str) -> Numbers:
    if part is None:
        raise DataError(f"has no {NAMES[name]}; data.source.{name} asks for them")
    return part


def _unit(normals: Numbers) -> NDArray[np.float32]:
    exact: NDArray[np.float64] = normals.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise DataError("has normals that point nowhere")
    unit: NDArray[np.float32] = (exact / lengths).astype(np.float32)
    return unit


def _intensities(colors: Numbers) -> NDArray[np.float32]:
    """Bring colours to [0, 1]: those of integers by their type, floats must be so."""
    kind = colors.dtype.str[1:]
    if kind in _FULL:
        return colors.astype(np.float32) / np.float32(_FULL[kind])
    if colors.dtype.kind != "f":
        raise DataError(f"has colours of the type {colors.dtype.name}; 8 or 16 bits without sign and floats are read")
    low, high = colors.min(), colors.max()
    if not 0 <= low <= high <= 1:
        raise DataError(f"has colours from {low:g} to {high:g}; those of floats go from 0 to 1")
    return colors.astype(np.float32)
