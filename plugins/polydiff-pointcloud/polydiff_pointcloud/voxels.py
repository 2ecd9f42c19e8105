"""Between points and the voxels of a grid, in plain torch: scatter by sum or mean, trilinear gather."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


def unit_cube(coordinates: Tensor, real: Tensor | None = None) -> Tensor:
    """Move and scale each cloud, evenly in all directions, until it just fits [-1, 1]^3.

    A cloud's own extremes decide, which depend neither on the order of its points nor on other clouds.

    Parameters
    ----------
    coordinates
        (B, N, 3).
    real
        (B, N) bool, false for padding, which ends up anywhere in the cube; `None` when all points are real.

    Returns
    -------
    Tensor
        (B, N, 3) float32; the origin for a cloud that is one point.
    """
    coordinates = coordinates.float()
    if real is None:
        low, high = coordinates.amin(1, keepdim=True), coordinates.amax(1, keepdim=True)
    else:
        padding = ~real[..., None]
        low = coordinates.masked_fill(padding, torch.inf).amin(1, keepdim=True)
        high = coordinates.masked_fill(padding, -torch.inf).amax(1, keepdim=True)
    half = (high - low).amax(2, keepdim=True) / 2
    centered = coordinates - (high + low) / 2
    return (centered / torch.where(half > 0, half, 1)).clamp(-1, 1)


@dataclass(frozen=True, slots=True)
class Voxels:
    """A grid of `resolution`^3 voxels whose outermost centres lie on the faces of [-1, 1]^3, and points in it.

    Attributes
    ----------
    resolution
        Voxels along each side, at least 2.
    index
        (B N,) int64: the voxel nearest to each point, of B `resolution`^3.
    weight
        (B N, 1) float32: 1, and 0 for padding.
    places
        (B, 1, 1, N, 3) in [-1, 1], z, y and x, as `grid_sample` reads them.
    """

    resolution: int
    index: Tensor
    weight: Tensor
    places: Tensor

    @classmethod
    def of(cls, cube: Tensor, resolution: int, real: Tensor | None = None) -> Voxels:
        """Divide the cube around points, (B, N, 3) in [-1, 1]; `real`, (B, N) bool, tells them from padding."""
        x, y, z = ((cube + 1) / 2 * (resolution - 1)).round().long().unbind(2)
        first = resolution**3 * torch.arange(len(cube), device=cube.device)[:, None]
        index = (first + (x * resolution + y) * resolution + z).flatten()
        weight = cube.new_ones(len(index), 1) if real is None else real.to(cube.dtype).view(-1, 1)
        return cls(resolution, index, weight, cube.flip(2)[:, None, None])

    def total(self, h: Tensor) -> Tensor:
        """Add up features of points, (B, N, C), in each voxel: (B, C, R, R, R)."""
        return self._grid(self._total(h), len(h))

    def mean(self, h: Tensor) -> Tensor:
        """Average features of points, (B, N, C), in each voxel: (B, C, R, R, R), 0 where there is no point."""
        count = self._total(torch.ones_like(h[..., :1]))
        return self._grid(self._total(h) / count.clamp(min=1), len(h))

    def _total(self, h: Tensor) -> Tensor:
        """Add up (B, N, C) to (B R^3, C) float32."""
        batch, _, width = h.shape
        total = self.weight.new_zeros(batch * self.resolution**3, width)
        return total.index_add(0, self.index, h.flatten(0, 1) * self.weight)

    def _grid(self, rows: Tensor, batch: int) -> Tensor:
        return rows.view(batch, *(self.resolution,) * 3, -1).permute(0, 4, 1, 2, 3).contiguous()

    def gather(self, grid: Tensor) -> Tensor:
        """Interpolate a grid, (B, C, R, R, R), at each point: (B, N, C) float32, whatever the precision of the grid."""
        values = nn.functional.grid_sample(grid.float(), self.places, align_corners=True, padding_mode="border")
        return values[:, :, 0, 0].transpose(1, 2)
