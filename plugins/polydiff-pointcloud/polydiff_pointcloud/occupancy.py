"""How two sets of shapes fill space: the Jensen-Shannon divergence of Achlioptas et al. 2018."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELLS = 28
"""Voxels along each side, as in the paper."""


def histogram(points: NDArray[np.float32], center: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Count the points, (N, 3), in the voxels of a cube from -`reach` to `reach` about its middle.

    Points outside are in the nearest voxel.

    Returns
    -------
    (CELLS^3,), the share of the points in each voxel.
    """
    place = np.floor(((points - center) / reach + 1) / 2 * CELLS).astype(np.int64).clip(0, CELLS - 1)
    index = np.ravel_multi_index(tuple(place.T), (CELLS,) * 3)
    share: NDArray[np.float64] = np.bincount(index, minlength=CELLS**3) / len(points)
    return share


def jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Give (KL(p | m) + KL(q | m)) / 2 with m = (p + q) / 2, to the base 2: from 0 to 1."""
    middle = (p + q) / 2
    return float((_divergence(p, middle) + _divergence(q, middle)) / 2)


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    met = p > 0
    return float((p[met] * np.log2(p[met] / q[met])).sum())
