"""Random subsets of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polydiff.errors import UsageError
from polydiff_pointcloud.cloud import PointCloud


def subset(count: int, points: int) -> NDArray[np.int64]:
    """Choose so many of `count` points at random, the same each time, in ascending order."""
    return _draw(np.random.default_rng(0), count, points)


class Subsample:
    """Keep a random subset of the points, another in every epoch.

    A source that samples more points than are trained on, such as 8,192 for 2,048, then shows a surface in many
    ways; without, the codec takes the same subset each time, which a network may learn by heart.

    Parameters
    ----------
    points
        How many to keep: as many as the codec's `points`. A cloud of no more stays whole.
    """

    def __init__(self, points: int) -> None:
        if points < 1:
            raise UsageError(f"points is {points}; it must be at least 1")
        self.points = points

    def __call__(self, content: PointCloud, rng: np.random.Generator) -> PointCloud:
        """Draw the subset."""
        return content if len(content) <= self.points else content[_draw(rng, len(content), self.points)]


def _draw(rng: np.random.Generator, count: int, points: int) -> NDArray[np.int64]:
    return np.sort(rng.choice(count, points, replace=False, shuffle=False))
