"""Marching cubes (Lorensen and Cline 1987) on the indicator of parametric Gauss reconstruction, by scikit-image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom
from scipy.spatial import cKDTree
from skimage import measure

from polydiff_pointcloud.meshing.surface import Surface
from polydiff_pointcloud.normals import Field

NAME = "marching cubes"

CELLS = 96
"""Along the longest side."""

_COARSE = 4
"""Far from the points the indicator is smooth, and is evaluated at every fourth cell."""

_BAND, _MARGIN = 2.5, 4
"""In cells: how far from the points it is evaluated at every cell, and how far the grid reaches beyond them."""


def marching(field: Field) -> Surface:
    """Give the surface on which the indicator is as large as it is at the points in the middle; closed in any case."""
    low, high = field.points.min(0), field.points.max(0)
    cell = float((high - low).max()) / CELLS
    origin = low - _MARGIN * cell
    blocks = np.ceil(((high - low) / cell + 2 * _MARGIN) / _COARSE).astype(int)
    shape = tuple(int(count) for count in _COARSE * blocks + 1)
    values = zoom(_evaluated(field, origin, _COARSE * cell, tuple(blocks + 1)), np.array(shape) / (blocks + 1), order=1)
    places = _grid(origin, cell, shape)
    distance, _ = cKDTree(field.points).query(places, distance_upper_bound=_BAND * cell)
    near = np.isfinite(distance)
    values.reshape(-1)[near] = field(places[near])
    _close(values)
    level = float(np.median(field(field.points)))
    values[values == level] += np.float32(1e-6)  # a corner on the surface would make triangles of no area
    cut: Any = measure.marching_cubes  # untyped
    vertices, faces, _, _ = cut(values, level)
    return Surface((vertices * cell + origin).astype(np.float32), faces.astype(np.int32), NAME)


def _grid(origin: NDArray[np.float32], cell: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Give the places of all corners, (M, 3)."""
    axes = [origin[i] + cell * np.arange(count) for i, count in enumerate(shape)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)


def _evaluated(field: Field, origin: NDArray[np.float32], cell: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return field(_grid(origin, cell, shape)).reshape(shape)


def _close(values: NDArray[np.float32]) -> None:
    """Let nothing be inside at the grid's own sides."""
    for axis in range(3):
        sides = np.moveaxis(values, axis, 0)
        sides[0] = sides[-1] = 0
