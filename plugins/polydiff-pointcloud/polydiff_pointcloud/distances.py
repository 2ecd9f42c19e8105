"""Distances between point clouds, of all pairs of two sets at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from polydiff.errors import UsageError, unknown

_PAIRS = 1 << 20
"""Distances between points held at a time: as many as fit in a cache."""


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance of clouds, with what is to be told of it.

    Attributes
    ----------
    between
        Gives (n, m) float64 of two sets, (n, N, 3) and (m, M, 3); of a set with itself it is symmetric, with zeros on
        the diagonal.
    formula
        What it is, in words.
    implementation
        What computes it, and how exactly.
    """

    name: str
    between: Callable[[Tensor, Tensor], Tensor]
    formula: str
    implementation: str


def chamfer(x: Tensor, y: Tensor) -> Tensor:
    """Give mean_a min_b |a - b|^2 + mean_b min_a |a - b|^2 of all pairs, (n, m) float64."""
    return _chamfer(x, y, squared=True)


def chamfer_unsquared(x: Tensor, y: Tensor) -> Tensor:
    """Give mean_a min_b |a - b| + mean_b min_a |a - b| of all pairs, (n, m) float64."""
    return _chamfer(x, y, squared=False)


def emd(x: Tensor, y: Tensor) -> Tensor:
    """Give the earth mover's distance of all pairs, (n, m) float64: the mean |a - phi(a)| of the best bijection phi.

    Raises
    ------
    UsageError
        When the clouds of the two sets have different numbers of points.
    """
    if x.shape[1] != y.shape[1]:
        raise UsageError(
            f"the earth mover's distance needs equally many points, not {x.shape[1]} and {y.shape[1]}; "
            f"points={min(x.shape[1], y.shape[1])} draws so many of each cloud"
        )
    return _by_rows(x, y, lambda cloud, others: torch.tensor([_emd(cloud, other) for other in others]))


DISTANCES: Final = {
    each.name: each
    for each in (
        Distance(
            "chamfer",
            chamfer,
            "mean squared distance to the nearest point, of both directions, summed",
            "all pairs of points; float32, the nearest by |a|^2 + |b|^2 - 2 a.b",
        ),
        Distance(
            "chamfer-unsquared",
            chamfer_unsquared,
            "mean distance to the nearest point, of both directions, summed",
            "all pairs of points; float32, the nearest by |a|^2 + |b|^2 - 2 a.b",
        ),
        Distance(
            "emd",
            emd,
            "mean distance of points in the best one-to-one matching",
            "exact: scipy.optimize.linear_sum_assignment of float32 distances",
        ),
    )
}


def find_distance(name: str) -> Distance:
    """Look a distance up; raises `UsageError` with the nearest name."""
    if name not in DISTANCES:
        raise UsageError(unknown("distance of clouds", name, DISTANCES))
    return DISTANCES[name]


def _by_rows(x: Tensor, y: Tensor, distances: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Fill a matrix row by row; of a set with itself one half, whose mirror image is the other."""
    table = torch.zeros(len(x), len(y), dtype=torch.float64)
    for i, cloud in enumerate(x):
        start = i + 1 if x is y else 0
        if start < len(y):
            table[i, start:] = distances(cloud, y[start:]).double()
    return table + table.T if x is y else table


def _chamfer(x: Tensor, y: Tensor, *, squared: bool) -> Tensor:
    mean = y.mean((0, 1))  # small coordinates lose the fewest digits
    at_once = max(1, _PAIRS // (x.shape[1] * y.shape[1]))

    def row(cloud: Tensor, others: Tensor) -> Tensor:
        parts = (others[start : start + at_once] for start in range(0, len(others), at_once))
        return torch.cat([_nearest(cloud - mean, some - mean, squared) for some in parts])

    return _by_rows(x, y, row)


def _nearest(cloud: Tensor, others: Tensor, squared: bool) -> Tensor:
    """Give the Chamfer distances from (N, 3) to (m, M, 3): |a - b|^2 is (-2 a, 1, |a|^2) . (b, |b|^2, 1)."""
    left = torch.cat([-2 * cloud, torch.ones_like(cloud[:, :1]), cloud.square().sum(1, keepdim=True)], 1)
    right = torch.cat([others, others.square().sum(2, keepdim=True), torch.ones_like(others[..., :1])], 2)
    squares = left @ right.mT
    there, back = squares.amin(2).clamp_min(0), squares.amin(1).clamp_min(0)
    if not squared:
        there, back = there.sqrt(), back.sqrt()
    return there.mean(1) + back.mean(1)


def _emd(cloud: Tensor, other: Tensor) -> float:
    cost = torch.cdist(cloud, other, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    rows, columns = linear_sum_assignment(cost)
    return float(np.mean(cost[rows, columns], dtype=np.float64))
