"""What an autoencoder of point clouds is trained towards."""

from __future__ import annotations

import torch
from torch import Tensor


class ChamferLoss:
    """The Chamfer distance: mean_a min_b |a - b|^2 + mean_b min_a |a - b|^2, over all channels of a point."""

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """Give each cloud's distance, (B,); both are (B, C, N), of any numbers of points."""
        ours, true = y.transpose(1, 2), x.transpose(1, 2)
        with torch.no_grad():
            squares = torch.cdist(ours, true)
            nearest_true, nearest_ours = squares.argmin(2), squares.argmin(1)
        return _mean_square(ours, _at(true, nearest_true)) + _mean_square(true, _at(ours, nearest_ours))


def _at(points: Tensor, index: Tensor) -> Tensor:
    return points.gather(1, index[..., None].expand(-1, -1, points.shape[2]))


def _mean_square(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum(2).mean(1)
