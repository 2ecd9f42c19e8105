"""Lamps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from polydiff_pointcloud.shapes.piece import CLOTHS, METALS, WOODS, Piece, between, pick
from polydiff_pointcloud.shapes.solids import Color, Solid, bar, plate, post, shell, turned

_SHADES = {"conical": "a conical shade", "drum": "a drum shade", "narrow": "a narrow shade", "globe": "a globe"}
_BASES = ("round", "square", "tripod")
_PLATE = 0.03
_WALL = 0.008
_BAR = 0.012
_TRIPOD = 0.72
"""Of a stem's height: where the legs of a tripod meet."""


def lamp(rng: np.random.Generator) -> Piece:
    """Make a lamp for a table or the floor: a base, a stem and a shade, open below and above, or a globe."""
    floor = rng.random() < 0.5
    shade = pick(rng, tuple(_SHADES))
    base = pick(rng, _BASES) if floor else pick(rng, (*_BASES[:2], "vase"))
    height = between(rng, 1.35, 1.75) if floor else between(rng, 0.4, 0.65)
    width = between(rng, 0.34, 0.55) if floor else between(rng, 0.24, 0.4)
    shade_height = round(width * between(rng, 0.55, 0.9), 4) if shade != "globe" else width
    foot = round(width * (between(rng, 0.9, 1.4) if base == "tripod" else between(rng, 0.55, 0.8)), 4)
    stem = between(rng, 0.018, 0.03) if floor else between(rng, 0.012, 0.02)
    metal = pick(rng, METALS + WOODS)
    low = height - shade_height
    top = low if shade == "globe" else height - 0.15 * shade_height
    solids = [*_base(base, foot, stem, top, low, metal), *_shade(shade, width, low, height, top)]
    place, foothold = "floor" if floor else "table", base if base in {"tripod", "vase"} else f"{base} base"
    caption = f"a {place} lamp with {_SHADES[shade]} on a {foothold}"
    facts = {"shade_width": width, "shade_height": shade_height, "foot": foot, "stem": 2 * stem}
    return Piece(solids, caption, {"shade": shade, "stand": base, "floor": int(floor), "height": height, **facts})


def _base(kind: str, foot: float, stem: float, top: float, low: float, color: Color) -> Iterator[Solid]:
    """Make what carries the shade; `top` is where the stem ends, `low` where the shade begins."""
    if kind == "tripod":
        meet = _TRIPOD * low
        for angle in np.arange(3) * 2 * np.pi / 3:
            x, z = np.sin(angle), np.cos(angle)
            spot, head = (foot / 2 * x, 0, foot / 2 * z), (1.7 * stem * x, meet, 1.7 * stem * z)
            yield post(spot, head, (stem, stem), "round", color)
        yield turned((0, 0), (meet, meet + 0.03), (2.7 * stem, 2.7 * stem), color)
        yield turned((0, 0), (meet + 0.03, top), (stem, stem), color)
        return
    if kind == "vase":
        heights = np.array([0, 0.05, 0.25, 0.5, 0.75, 0.9, 1]) * (low - 0.02)
        radii = np.array([0.7, 0.8, 1, 0.95, 0.6, 0.3, 0.2]) * foot / 2
        yield turned((0, 0), heights.tolist(), radii.tolist(), color)
        yield turned((0, 0), (low - 0.02, top), (stem * 0.7, stem * 0.7), color)
        return
    yield plate("round" if kind == "round" else "rectangular", (foot, foot), (0, 0, 0), _PLATE, color)
    yield turned((0, 0), (_PLATE, top), (stem, stem), color)


def _shade(kind: str, width: float, low: float, high: float, top: float) -> Iterator[Solid]:
    """Make a shade from `low` to `high`, and a bar on top of the stem that holds it."""
    color = CLOTHS[3]
    radius = width / 2
    if kind == "globe":
        angles = np.linspace(-np.pi / 2 + 0.15, np.pi / 2, 9)
        heights = (low + high) / 2 + radius * np.sin(angles)
        yield turned((0, 0), heights.tolist(), (radius * np.cos(angles)).tolist(), color)
        return
    upper = {"conical": 0.55, "drum": 0.95, "narrow": 0.3}[kind] * radius
    yield shell((0, 0), (low, high), (radius, upper), _WALL, color)
    reach = radius + (upper - radius) * (top + _BAR - low) / (high - low) - _WALL
    yield bar((-reach, top + _BAR / 2, 0), (reach, top + _BAR / 2, 0), (_BAR, _BAR), color)
