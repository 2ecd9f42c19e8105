"""The solids that furniture is put together from: stacks of rings, joined by walls and closed by caps.

Lengths are in metres, y points up. All surfaces face outward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]
Color = tuple[float, float, float]
"""Red, green and blue, in [0, 1]."""

Outline = Literal["rectangular", "rounded", "round", "octagonal", "hexagonal"]
"""Of what is level: seen from above."""

_CORNERS: dict[Outline, int] = {"rectangular": 4, "rounded": 28, "round": 28, "octagonal": 8, "hexagonal": 6}
_POWER = 5
"""Of the superellipse that is a rounded rectangle."""


@dataclass(frozen=True, slots=True)
class Solid:
    """A closed surface of one colour.

    Attributes
    ----------
    vertices
        (V, 3).
    faces
        (F, 3): vertices of triangles, counter-clockwise seen from outside.
    """

    vertices: Floats
    faces: NDArray[np.int64]
    color: Color


def loft(rings: Floats, color: Color, *, hollow: bool = False) -> Solid:
    """Join rings by walls.

    Parameters
    ----------
    rings
        (R, M, 3): R convex rings of M points from the lower to the upper, each counter-clockwise seen from above.
    hollow
        Join the last ring to the first, as in a tube, instead of capping both.
    """
    count, corners = rings.shape[:2]
    return Solid(rings.reshape(-1, 3), _faces(count, corners, hollow), color)


def plate(outline: Outline, size: tuple[float, float], center: Vector, thickness: float, color: Color) -> Solid:
    """Make a level plate: `size` is its width and depth, `center` that of its lower side."""
    ring = _ring(outline) * (size[0] / 2, 0, size[1] / 2) + np.asarray(center)
    return loft(ring + np.array([[[0, 0, 0]], [[0, thickness, 0]]]), color)


def post(foot: Vector, head: Vector, radii: tuple[float, float], outline: Outline, color: Color) -> Solid:
    """Make an upright or slanted post with level ends; `radii` are half its widths at the foot and at the head."""
    ring = _ring(outline)
    return loft(np.stack([ring * radii[0] + np.asarray(foot), ring * radii[1] + np.asarray(head)]), color)


def turned(axis: tuple[float, float], heights: Sequence[float], radii: Sequence[float], color: Color) -> Solid:
    """Make a solid of revolution about the upright line through `axis`, x and z: its radius at each height."""
    return loft(_revolved(axis, heights, radii), color)


def shell(
    axis: tuple[float, float], heights: tuple[float, float], radii: tuple[float, float], wall: float, color: Color
) -> Solid:
    """Make a part of a hollow cone, open below and above, round the upright line through `axis`."""
    (low, high), (lower, upper) = heights, radii
    rings = _revolved(axis, (low, high, high, low), (lower, upper, upper - wall, lower - wall))
    return loft(rings, color, hollow=True)


def bar(start: Vector, end: Vector, size: tuple[float, float], color: Color, outline: Outline = "rectangular") -> Solid:
    """Make a bar between two points that do not lie above each other; `size` is its width and its height."""
    along = np.subtract(end, start)
    along = along / np.linalg.norm(along)
    level = np.array([along[2], 0, -along[0]])
    level /= np.linalg.norm(level)
    upward = np.cross(along, level)
    ring = _ring(outline)
    section = np.outer(ring[:, 0] * size[0] / 2, level) - np.outer(ring[:, 2] * size[1] / 2, upward)
    return loft(np.stack([section + np.asarray(start), section + np.asarray(end)]), color)


def _revolved(axis: tuple[float, float], heights: Sequence[float], radii: Sequence[float]) -> Floats:
    ring = _ring("round")
    center = np.array([axis[0], 0, axis[1]])
    return np.stack([ring * radius + center + (0, y, 0) for y, radius in zip(heights, radii, strict=True)])


@lru_cache
def _ring(outline: Outline) -> Floats:
    """Give the corners, (M, 3), of a level outline that reaches from -1 to 1 in x and z."""
    corners = _CORNERS[outline]
    angles = (np.arange(corners) + 0.5) * 2 * math.pi / corners
    ring = np.stack([np.cos(angles), np.zeros(corners), -np.sin(angles)], axis=1)
    if outline == "rounded":
        ring = np.sign(ring) * np.abs(ring) ** (2 / _POWER)
    ring[:, [0, 2]] /= np.abs(ring[:, [0, 2]]).max(axis=0)
    ring.setflags(write=False)
    return ring


@lru_cache
def _faces(rings: int, corners: int, hollow: bool) -> NDArray[np.int64]:
    index = np.arange(rings * corners).reshape(rings, corners)
    lower, upper = (index, np.roll(index, -1, axis=0)) if hollow else (index[:-1], index[1:])
    next_lower, next_upper = np.roll(lower, -1, axis=1), np.roll(upper, -1, axis=1)
    triangles = [
        np.stack(side, axis=-1).reshape(-1, 3) for side in ((lower, next_lower, next_upper), (lower, next_upper, upper))
    ]
    if not hollow:
        fan = np.stack([np.zeros(corners - 2, int), np.arange(1, corners - 1), np.arange(2, corners)], axis=1)
        triangles += [fan[:, ::-1], fan + (rings - 1) * corners]
    faces = np.concatenate(triangles).astype(np.int64)
    faces.setflags(write=False)
    return faces
