"""How well two sets match, told from the distances between their members, whatever these are.

The three measures of generated shapes: 1-nearest-neighbour accuracy (Lopez-Paz and Oquab 2017, Revisiting Classifier
Two-Sample Tests; Yang et al. 2019, PointFlow), coverage and minimum matching distance (Achlioptas et al. 2018,
Learning Representations and Generative Models for 3D Point Clouds).
"""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.errors import UsageError


def one_nearest_neighbour(within_x: Tensor, between: Tensor, within_y: Tensor) -> float:
    """Give the share of members of both sets whose nearest other member is of their own set: 1/2 at best.

    It is the leave-one-out accuracy of a 1-nearest-neighbour classifier. Among several nearest ones it draws at random;
    what is given is the expectation, so that sets of copies come out at what chance gives.

    Parameters
    ----------
    within_x, within_y
        (n, n) and (m, m), distances within each set; their diagonals are ignored.
    between
        (n, m).

    Raises
    ------
    UsageError
        When the shapes do not fit, or either set has fewer than 2 members.
    """
    n, m = between.shape
    if within_x.shape != (n, n) or within_y.shape != (m, m) or min(n, m) < 2:
        raise UsageError(
            "1-NNA needs the distances within and between two sets of at least 2 members each, not "
            f"{tuple(within_x.shape)}, {tuple(between.shape)} and {tuple(within_y.shape)}"
        )
    distances = torch.cat([torch.cat([within_x, between], 1), torch.cat([between.T, within_y], 1)]).double()
    distances.fill_diagonal_(torch.inf)
    nearest = distances == distances.amin(1, keepdim=True)
    of_x = torch.arange(n + m) < n
    same = of_x[:, None] == of_x
    return float(((nearest & same).sum(1) / nearest.sum(1)).mean())


def coverage(between: Tensor) -> float:
    """Give the share of the second set that is the nearest to some member of the first: 1 at best.

    Among several nearest ones one is drawn at random; what is given is the expectation. Sets of one distribution do
    not reach 1, so report that of real data against real data beside it.

    Parameters
    ----------
    between
        (n, m), n, m >= 1: from the generated to the real.
    """
    nearest = (between == between.amin(1, keepdim=True)).double()
    missed = (1 - nearest / nearest.sum(1, keepdim=True)).prod(0)
    return float((1 - missed).mean())


def minimum_matching_distance(between: Tensor) -> float:
    """Give the mean distance from members of the second set to the nearest of the first, (n, m) as of `coverage`."""
    return float(between.double().amin(0).mean())
