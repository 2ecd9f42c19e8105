"""Bringing shapes to one place and size."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polydiff.errors import DataError

Normalization = Literal["unit-sphere", "unit-box", "none"]
Up = Literal["y", "z"]
"""Which axis points up."""


def upright(vectors: NDArray[Any], up: Up) -> NDArray[Any]:
    """Turn vectors, (N, 3), about the x axis such that what pointed `up` points along y."""
    return vectors if up == "y" else np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], axis=1)


def normalise(points: NDArray[np.floating[Any]], how: Normalization) -> NDArray[np.float64]:
    """Move the middle of the bounding box to the origin, and scale.

    Parameters
    ----------
    points
        (N, 3), finite: points, or the vertices of a mesh.
    how
        `unit-sphere`: the farthest point lies at a distance of 1. `unit-box`: the longest side of the bounding box goes
        from -1 to 1. `none`: neither moved nor scaled.

    Raises
    ------
    DataError
        When all points are one.
    """
    moved: NDArray[np.float64] = points.astype(np.float64)
    if how == "none":
        return moved
    low, high = moved.min(axis=0), moved.max(axis=0)
    moved -= low / 2 + high / 2  # which does not overflow
    size = np.abs(moved).max()
    if size == 0:
        raise DataError("all of its points are in one place")
    moved /= size
    if how == "unit-sphere":
        moved /= np.linalg.norm(moved, axis=1).max()
    return moved
