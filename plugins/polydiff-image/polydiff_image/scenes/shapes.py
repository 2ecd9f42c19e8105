"""Shapes, drawn without jagged edges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SUPERSAMPLING = 8
"""Points along each side of a pixel at which it is asked whether a shape covers it: edges are right to 1/16 pixel."""


@dataclass(frozen=True, slots=True)
class Convex:
    """A convex shape of area pi around its centre of mass: where <normal, point> is at most `offset` for all normals.

    Attributes
    ----------
    normals
        (N, 2), of unit length; none for the unit circle.
    left, top, right, bottom
        How far it reaches from the centre.
    """

    normals: Array
    offset: float
    left: float
    top: float
    right: float
    bottom: float

    def covers(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """Tell which points lie inside."""
        if not len(self.normals):
            return x**2 + y**2 <= 1
        inside = np.ones(np.broadcast_shapes(x.shape, y.shape), bool)
        for across, down in self.normals:
            inside &= across * x + down * y <= self.offset
        return inside


def _circle() -> Convex:
    return Convex(np.empty((0, 2)), 1.0, 1.0, 1.0, 1.0, 1.0)


def _square() -> Convex:
    half = math.sqrt(math.pi) / 2
    return Convex(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), half, half, half, half, half)


def _triangle() -> Convex:
    """Make an equilateral triangle that stands on a side; its inradius is half of its circumradius."""
    inner = math.sqrt(math.pi / (3 * math.sqrt(3)))
    slope = math.sqrt(3) / 2
    half_base = inner * math.sqrt(3)
    return Convex(np.array([[0.0, 1.0], [slope, -0.5], [-slope, -0.5]]), inner, half_base, 2 * inner, half_base, inner)


OUTLINES: Mapping[str, Convex] = {"circle": _circle(), "square": _square(), "triangle": _triangle()}
"""By the name of the shape, y downwards."""


def coverage(shape: str, x: float, y: float, radius: float, size: int) -> tuple[Array, tuple[slice, slice]]:
    """Give the share of each pixel that a shape covers.

    Parameters
    ----------
    x, y
        Of its centre of mass, in pixels.
    radius
        Of the circle of the same area, in pixels.
    size
        Side of the picture.

    Returns
    -------
    The shares in the part of the picture that holds the shape, and that part: rows and columns.
    """
    outline = OUTLINES[shape]
    rows = _part(y - radius * outline.top, y + radius * outline.bottom, size)
    columns = _part(x - radius * outline.left, x + radius * outline.right, size)
    points = (np.arange(SUPERSAMPLING) + 0.5) / SUPERSAMPLING
    down = (np.arange(rows.start, rows.stop)[:, None] + points).ravel()
    across = (np.arange(columns.start, columns.stop)[:, None] + points).ravel()
    inside = outline.covers((across[None, :] - x) / radius, (down[:, None] - y) / radius)
    shape_of = rows.stop - rows.start, SUPERSAMPLING, columns.stop - columns.start, SUPERSAMPLING
    return inside.reshape(shape_of).mean((1, 3)), (rows, columns)


def _part(first: float, last: float, size: int) -> slice:
    return slice(max(0, math.floor(first)), min(size, math.ceil(last)))
