"""Distances to the nearest neighbour, which tell a model that has memorised from one that has not."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.metrics.blocks import blocks, squared_distances


def nearest_distances(x: Tensor, y: Tensor) -> Tensor:
    """Give the Euclidean distance from each row of `x` to the nearest row of `y`.

    Samples that lie closer to the training data than held-out data do have been memorised.

    Parameters
    ----------
    x
        (n, d).
    y
        (m, d), m >= 1.

    Returns
    -------
    Tensor
        (n,) float64.
    """
    return torch.cat([squared_distances(rows, y).amin(1) for rows in blocks(x, y)]).sqrt()
