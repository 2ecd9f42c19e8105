"""Normals of points that have none, consistently outwards.

Parametric Gauss reconstruction (Lin et al. 2022, Surface Reconstruction from Point Clouds without Normals by
Parametrizing the Gauss Formula, ACM Transactions on Graphics 42). The indicator of a solid is, by Gauss' formula, an
integral over its surface, chi(x) = sum_j K(x, y_j) . mu_j with K(x, y) = -(x - y) / (4 pi |x - y|^3), and mu_j the
normal at point y_j times its area. It is 1/2 on the surface: that makes N linear equations for N vectors, whose
regularised solution of least norm is mu = A^T (A A^T + R)^-1 1/2. It orients the two sides of a thin board apart,
where neighbours alone do not tell which of them a point is on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

MOST = 3072
"""Points that are solved for; where there are more, the others take after their neighbours. N^2 decides on time."""

_REGULARIZATION = 4.0
"""Alpha of the paper: R is (alpha - 1) times the diagonal of A A^T. Generated points are noisy, and want more of it
than those of a scan; much more would round off what is thin.
"""

_NEIGHBOURS = 10
_WIDTHS = 0.002, 0.03
"""Of the kernel, which is cut off at the mean distance to a point's neighbours, within these shares of the extent."""

_QUERIES = 1 << 12


@dataclass(frozen=True, slots=True)
class Field:
    """The indicator of a solid: 0 outside, and inside about twice what it is on the surface.

    Attributes
    ----------
    points
        (N, 3) float32, y_j.
    elements
        (N, 3) float32, mu_j: oriented area, pointing outwards.
    scale
        The extent of the points.
    """

    points: NDArray[np.float32]
    elements: NDArray[np.float32]
    scale: float

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Evaluate chi at (M, 3) places."""
        tree = cKDTree(self.points)
        y, mu = torch.from_numpy(self.points), torch.from_numpy(self.elements)
        offset = (y * mu).sum(1)
        values = []
        for start in range(0, len(x), _QUERIES):
            some = x[start : start + _QUERIES]
            at, width = torch.from_numpy(some), _widths(tree, some, self.scale)
            distance = torch.maximum(torch.cdist(at, y), width[:, None])
            values.append(-((at @ mu.T - offset) / (4 * torch.pi * distance**3)).sum(1))
        return torch.cat(values).numpy()


def solve(points: NDArray[np.float32]) -> Field:
    """Find the surface elements of points, at most `MOST` of them drawn at random where there are more."""
    chosen = points
    if len(points) > MOST:
        chosen = points[np.sort(np.random.default_rng(0).choice(len(points), MOST, replace=False))]
    scale = float(np.ptp(points, axis=0).max())
    y = torch.from_numpy(np.ascontiguousarray(chosen))
    width = _widths(cKDTree(chosen), chosen, scale)
    difference = y[:, None] - y
    distance = torch.maximum(difference.norm(dim=2), width[:, None])
    kernel = (-difference / (4 * torch.pi * distance[..., None] ** 3)).flatten(1)
    gram = kernel @ kernel.T
    gram.diagonal().mul_(_REGULARIZATION)
    elements = kernel.T @ torch.linalg.solve(gram, torch.full((len(y),), 0.5))
    return Field(chosen, elements.view(-1, 3).numpy(), scale)


def estimate(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give unit normals, (N, 3), of N >= 2 points that do not all coincide; they point out of the shape."""
    field = solve(points)
    normals = field.elements
    if len(field.points) < len(points):
        distance, place = cKDTree(field.points).query(points, k=3)
        near = 1 / (distance + 1e-6 * field.scale)
        normals = (normals[place] * near[..., None]).sum(1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0, 1, 0], np.float32)
    return np.where(length > 0, normals / np.where(length > 0, length, 1), up).astype(np.float32)


def _widths(tree: cKDTree, at: NDArray[np.float32], scale: float) -> Tensor:
    """Give the width of the kernel at places, (M,)."""
    neighbours = min(_NEIGHBOURS, tree.n - 1) + 1
    distance, _ = tree.query(at, k=neighbours)
    low, high = _WIDTHS
    return torch.from_numpy(distance[:, 1:].mean(1).clip(low * scale, high * scale).astype(np.float32))
