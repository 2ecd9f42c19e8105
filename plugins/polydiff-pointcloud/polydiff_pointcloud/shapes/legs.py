"""What tables, chairs and stools stand on."""

from __future__ import annotations

import math
from collections.abc import Iterator

from polydiff_pointcloud.shapes.solids import Color, Outline, Solid, bar, plate, post, turned

Spot = tuple[float, float]
"""A place on a level plane: x and z."""


def corners(width: float, depth: float) -> list[Spot]:
    """Give the corners of a rectangle about the origin, in turn."""
    x, z = width / 2, depth / 2
    return [(x, z), (x, -z), (-x, -z), (-x, z)]


def circle(count: int, radius: float) -> list[Spot]:
    """Give equally spaced spots on a circle about the origin, one of them in front."""
    angles = [2 * math.pi * place / count for place in range(count)]
    return [(radius * math.sin(angle), radius * math.cos(angle)) for angle in angles]


def legs(
    spots: list[Spot], height: float, radii: tuple[float, float], splay: float, outline: Outline, color: Color
) -> Iterator[Solid]:
    """Make a leg under each spot, given where it meets what it carries.

    Parameters
    ----------
    radii
        Half the width of a leg at its foot and at its head.
    splay
        By what factor the feet lie further out than the heads; 1 is upright.
    """
    for x, z in spots:
        yield post((x * splay, 0, z * splay), (x, height, z), radii, outline, color)


def rungs(
    spots: list[Spot], height: float, top: float, splay: float, gap: float, thickness: float, color: Color
) -> Iterator[Solid]:
    """Join neighbouring legs by rungs.

    Parameters
    ----------
    spots, splay
        As the legs have them.
    height, top
        That of the rungs, and that of the legs.
    gap
        From the middle of a leg to where a rung begins.
    """
    factor = splay + (1 - splay) * height / top
    for (x, z), (next_x, next_z) in zip(spots, spots[1:] + spots[:1], strict=True):
        share = gap / (factor * math.hypot(next_x - x, next_z - z))
        step = ((next_x - x) * share, (next_z - z) * share)
        start = ((x + step[0]) * factor, height, (z + step[1]) * factor)
        end = ((next_x - step[0]) * factor, height, (next_z - step[1]) * factor)
        yield bar(start, end, (thickness, thickness), color)


def column(height: float, radius: float, foot: float, outline: Outline, color: Color) -> Iterator[Solid]:
    """Make a column on a flat foot, `foot` its radius."""
    base = 0.03
    yield plate(outline, (2 * foot, 2 * foot), (0, 0, 0), base, color)
    yield turned((0, 0), (base, base + 0.08 * height, height), (1.6 * radius, radius, radius), color)


def trestles(width: float, depth: float, height: float, thickness: float, color: Color) -> Iterator[Solid]:
    """Make two boards on edge at the sides, and one that joins them."""
    for side in (-1, 1):
        x = side * (width - thickness) / 2
        yield plate("rectangular", (thickness, depth), (x, 0, 0), height, color)
    inner = width / 2 - thickness
    yield bar((-inner, height * 0.6, 0), (inner, height * 0.6, 0), (thickness, height * 0.25), color)
