"""A point cloud: what this modality's contents are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polydiff.errors import DataError


@dataclass(frozen=True, slots=True)
class PointCloud:
    """Points on a surface and, where they are known, what they look like.

    Attributes
    ----------
    points
        (N, 3) float32, N >= 1; y points up, as in glTF.
    normals
        (N, 3) float32 of unit length, or `None`.
    colors
        (N, 3) float32 in [0, 1], red, green and blue, or `None`.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32] | None = None
    colors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Count the points."""
        return len(self.points)

    def __getitem__(self, index: slice | NDArray[np.integer] | NDArray[np.bool_]) -> PointCloud:
        """Select points."""
        normals = None if self.normals is None else self.normals[index]
        colors = None if self.colors is None else self.colors[index]
        return PointCloud(self.points[index], normals, colors)


def check_range(points: NDArray[np.floating[Any]]) -> None:
    """Raise `DataError` when finite coordinates are beyond what float32 holds."""
    if np.abs(points).max() > np.finfo(np.float32).max:
        raise DataError("has coordinates beyond 3e38, the range of 32-bit floats")
