"""What surrounds each point: moments of its neighbours, linear in the number of points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff_pointcloud.voxels import Voxels, unit_cube

PROJECTIONS = (0, 1), (0, 2), (1, 2), (0,), (1,), (2,)
"""The axes along which a cloud is divided into columns, and those into slabs."""

_SPACE = 0, 1, 2

_MOMENTS = 10
"""For each grid: a density, three means and six covariances."""

_ROWS, _COLUMNS = (0, 0, 0, 1, 1, 2), (0, 1, 2, 1, 2, 2)
"""Of the upper triangle of a 3 x 3 matrix."""


def features_of(grids: Sequence[int], projections: Sequence[int]) -> int:
    """Count what `surroundings` tells of a point."""
    return _MOMENTS * (len(grids) + len(PROJECTIONS) * len(projections))


@torch.no_grad()
def surroundings(
    coordinates: Tensor, grids: Sequence[int], projections: Sequence[int] = (), real: Tensor | None = None
) -> Tensor:
    """Describe the neighbours of each point on several scales: in space, and in the cloud's projections.

    A neighbour j of point i has the weight with which multilinear interpolation at i reads the voxel of j. With the
    total weight S, the features are log(S / N), the mean of x_j - x_i, and the covariance of x_j, in units of a
    voxel's side: they tell how far a surface is that noise has moved the point from, and how it lies. Projected along
    one axis or two, voxels are columns or slabs of the cube, along which the unit is half of the cube's side; many
    more points then fall into one, and tell where a leg stands or a board lies while noise still hides it.

    Parameters
    ----------
    coordinates
        (B, N, 3).
    grids
        Voxels along each side of each grid, on the smallest cube around the cloud.
    projections
        Columns and slabs along each side: a grid on each plane of two axes, and on each axis.
    real
        (B, N) bool, false for padding; `None` when all points are real.

    Returns
    -------
    Tensor
        (B, N, `features_of`), of about unit scale; of padding, anything finite.
    """
    cube = unit_cube(coordinates, real)
    count = cube.new_full((len(cube), 1, 1), cube.shape[1]) if real is None else real.sum(1)[:, None, None]
    products = cube[..., _ROWS] * cube[..., _COLUMNS]
    moments = torch.cat((torch.ones_like(cube[..., :1]), cube, products), 2)
    divisions: list[tuple[int, tuple[int, ...]]] = [(r, _SPACE) for r in grids]
    divisions += [(r, axes) for r in projections for axes in PROJECTIONS]
    features = [_scaled(cube, moments, count, Voxels.of(cube, r, real, axes=axes), axes) for r, axes in divisions]
    return torch.cat(features, 2).to(coordinates.dtype)


def _scaled(cube: Tensor, moments: Tensor, count: Tensor, voxels: Voxels, axes: tuple[int, ...]) -> Tensor:
    total, first, second = torch.split(voxels.gather(voxels.total(moments)), [1, 3, 6], 2)
    least = torch.finfo(total.dtype).tiny  # of padding, which may have no neighbours
    mean, square = first / total.clamp(min=least), second / total.clamp(min=least)
    side = cube.new_tensor([2 / (voxels.shape[-1] - 1) if axis in axes else 1.0 for axis in range(3)])
    density = (total.clamp(min=1e-3) / count.clamp(min=1)).log() / 4 + 1
    covariance = square - mean[..., _ROWS] * mean[..., _COLUMNS]
    return torch.cat((density, (mean - cube) / side, covariance / (side[..., _ROWS] * side[..., _COLUMNS])), 2)
