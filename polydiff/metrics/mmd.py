"""Maximum mean discrepancy (Gretton et al. 2012, A Kernel Two-Sample Test, JMLR 13)."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.errors import UsageError
from polydiff.metrics.blocks import blocks, squared_distances


def kernel_mmd2(x: Tensor, y: Tensor, scale: float) -> float:
    """Estimate MMD^2 between the distributions of `x` and `y` with the kernel exp(-scale |a - b|^2).

    The unbiased estimate of eq. 3: zero on average when the distributions are the same, and then negative
    about half the time.

    Parameters
    ----------
    x
        (n, d), n >= 2.
    y
        (m, d), m >= 2.
    scale
        Inverse squared length, positive.

    Raises
    ------
    UsageError
        When either has fewer than two samples, or their widths differ.
    """
    if len(x) < 2 or len(y) < 2:
        raise UsageError(f"the unbiased MMD needs at least 2 samples on each side, not {len(x)} and {len(y)}")
    return _mean_within(x, scale) + _mean_within(y, scale) - 2 * _kernel_sum(x, y, scale) / (len(x) * len(y))


def _mean_within(x: Tensor, scale: float) -> float:
    """Average the kernel over ordered pairs of different samples; each k(a, a) is 1."""
    n = len(x)
    return (_kernel_sum(x, x, scale) - n) / (n * (n - 1))


def _kernel_sum(x: Tensor, y: Tensor, scale: float) -> float:
    return sum(float((-scale * squared_distances(rows, y)).exp().sum()) for rows in blocks(x, y))


def median_scale(points: Tensor) -> float:
    """Give one over the median squared distance of different points (section 8); of 1,000 at most.

    Raises
    ------
    UsageError
        When they do not differ.
    """
    some = points[:: -(-len(points) // 1000)]
    rows, columns = torch.triu_indices(len(some), len(some), 1)
    median = float(squared_distances(some, some)[rows, columns].median())
    if not median:
        raise UsageError("the samples do not differ enough to tell a scale")
    return 1 / median
