"""Pairwise distances in blocks of rows, so that memory stays bounded for any number of samples."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from polydiff.errors import UsageError

PAIRS = 1 << 22
"""Distances held at a time: 32 MiB of float64."""


def blocks(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """Cut `x` into blocks of rows whose distances to all of `y` fit in memory.

    Raises
    ------
    UsageError
        Unless both are (samples, features) with the same number of features and at least one sample.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise UsageError(f"samples must be two tables of equal width, not {tuple(x.shape)} and {tuple(y.shape)}")
    rows = max(1, PAIRS // len(y))
    return (x[start : start + rows] for start in range(0, len(x), rows))


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Give |x_i - y_j|^2, (n, m) float64, without the cancellation of |x|^2 + |y|^2 - 2 x.y."""
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x.double(), y.double(), compute_mode=exact).square()
