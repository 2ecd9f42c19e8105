"""What surrounds each point: moments of its neighbours, linear in the number of points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff_pointcloud.voxels import Voxels, unit_cube

FEATURES = 10
"""For each grid: a density, three means and six covariances."""

_ROWS, _COLUMNS = (0, 0, 0, 1, 1, 2), (0, 1, 2, 1, 2, 2)
"""Of the upper triangle of a 3 x 3 matrix."""


@torch.no_grad()
def surroundings(coordinates: Tensor, resolutions: Sequence[int], real: Tensor | None = None) -> Tensor:
    """Describe the neighbours of each point on several scales.

    A neighbour j of point i has the weight with which trilinear interpolation at i reads the voxel of j. With the
    total weight S, the features are log(S / N), the mean of x_j - x_i, and the covariance of x_j, in units of a
    voxel's side: they tell how far a surface is that noise has moved the point from, and how it lies.

    Parameters
    ----------
    coordinates
        (B, N, 3).
    resolutions
        Voxels along each side of each grid, on the smallest cube around the cloud.
    real
        (B, N) bool, false for padding; `None` when all points are real.

    Returns
    -------
    Tensor
        (B, N, 10 len(resolutions)), of about unit scale; of padding, anything finite.
    """
    cube = unit_cube(coordinates, real)
    count = cube.new_full((len(cube), 1, 1), cube.shape[1]) if real is None else real.sum(1)[:, None, None]
    products = cube[..., _ROWS] * cube[..., _COLUMNS]
    moments = torch.cat((torch.ones_like(cube[..., :1]), cube, products), 2)
    return torch.cat([_scaled(cube, moments, count, r, real).to(coordinates.dtype) for r in resolutions], 2)


def _scaled(cube: Tensor, moments: Tensor, count: Tensor, resolution: int, real: Tensor | None) -> Tensor:
    voxels = Voxels.of(cube, resolution, real)
    total, first, second = torch.split(voxels.gather(voxels.total(moments)), [1, 3, 6], 2)
    least = torch.finfo(total.dtype).tiny  # of padding, which may have no neighbours
    mean, square = first / total.clamp(min=least), second / total.clamp(min=least)
    side = 2 / (resolution - 1)
    density = (total.clamp(min=1e-3) / count.clamp(min=1)).log() / 4 + 1
    covariance = square - mean[..., _ROWS] * mean[..., _COLUMNS]
    return torch.cat((density, (mean - cube) / side, covariance / side**2), 2)
