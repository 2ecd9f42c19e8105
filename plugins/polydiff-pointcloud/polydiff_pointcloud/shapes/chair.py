"""Chairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from polydiff_pointcloud.shapes.legs import circle, column, corners, legs, rungs
from polydiff_pointcloud.shapes.piece import CLOTHS, METALS, WOODS, Piece, between, pick
from polydiff_pointcloud.shapes.solids import Color, Outline, Solid, bar, loft, plate, post

_SEATS: dict[str, Outline] = {"square": "rectangular", "rounded": "rounded", "round": "round"}
_BACKS = {"solid": "a solid back", "slatted": "a slatted back", "ladder": "a ladder back", "framed": "an open back"}
_POST = 0.018
"""Half the width of a back's posts."""
_HUB = 0.08
"""Radius of the foot of a column, from which bars go out."""


def chair(rng: np.random.Generator) -> Piece:
    """Make a chair: a seat on legs or a column, with a back of one of four kinds, perhaps with arm rests."""
    seat, back = pick(rng, tuple(_SEATS)), pick(rng, tuple(_BACKS))
    width, depth = between(rng, 0.4, 0.52), between(rng, 0.4, 0.5)
    seat_height, thickness = between(rng, 0.42, 0.48), between(rng, 0.03, 0.07)
    back_height, lean = between(rng, 0.35, 0.6), between(rng, 0.0, 0.12)
    arms = rng.random() < 0.4
    wood = pick(rng, WOODS)
    cloth = pick(rng, WOODS + CLOTHS)
    solids = [plate(_SEATS[seat], (width, depth), (0, seat_height - thickness, 0), thickness, cloth)]
    stand, more, facts = _stand(rng, (width, depth, seat_height - thickness), square=seat == "square")
    solids += more
    span = width * (0.62 if seat == "round" else 0.86)
    rear = depth / 2 * (0.72 if seat == "round" else 0.9) - _POST
    solids += _back(rng, back, (span, seat_height, back_height), (-rear, -rear - lean), wood)
    if arms:
        solids += _arms((span, rear, seat_height), lean, back_height, wood)
    words = [_BACKS[back], *(["arm rests"] if arms else []), "a column" if stand == "column" else "four legs"]
    caption = f"a {seat} chair with {', '.join(words[:-1])} and {words[-1]}"
    sizes = {"width": width, "depth": depth, "height": round(seat_height + back_height, 4), "thickness": thickness}
    kinds = {"top": seat, "stand": stand, "legs": 4 if stand == "legs" else 0, "back": back, "arms": int(arms)}
    return Piece(solids, caption, {**kinds, **sizes, "seat_height": seat_height, "lean": lean, **facts})


def _stand(
    rng: np.random.Generator, room: tuple[float, float, float], square: bool
) -> tuple[str, list[Solid], dict[str, float]]:
    """Give its kind, its solids and its parameters; `room` is what lies below the seat."""
    width, depth, height = room
    color = pick(rng, WOODS + METALS)
    if rng.random() < 0.2:
        radius = between(rng, 0.025, 0.04)
        bars = zip(circle(5, _HUB), circle(5, 0.55 * width), strict=True)
        star = [bar((x, 0.015, z), (far_x, 0.015, far_z), (0.05, 0.03), color) for (x, z), (far_x, far_z) in bars]
        return "column", [*column(height, radius, _HUB, "round", color), *star], {"leg_thickness": 2 * radius}
    radius = between(rng, 0.016, 0.026)
    splay = between(rng, 1.05, 1.25) if rng.random() < 0.4 else 1.0
    reach = 0.88 if square else 0.64
    spots = corners(reach * width, reach * depth)
    solids = list(legs(spots, height, (radius, radius), splay, pick(rng, ("rectangular", "round")), color))
    facts = {"leg_thickness": 2 * radius, "splay": splay}
    if rng.random() < 0.3:
        facts["rungs"] = round(height * between(rng, 0.25, 0.5), 4)
        solids += rungs(spots, facts["rungs"], height, splay, radius, 0.02, color)
    return "legs", solids, facts


def _back(
    rng: np.random.Generator, kind: str, size: tuple[float, float, float], z: tuple[float, float], color: Color
) -> Iterator[Solid]:
    """Make a back.

    Parameters
    ----------
    size
        Its width, the height of the seat and its own above that.
    z
        That of its foot and of its head.
    """
    span, low, height = size
    x, high = span / 2 - _POST, low + height

    def at(share: float) -> tuple[float, float]:
        return low + share * height, z[0] + share * (z[1] - z[0])

    if kind == "solid":
        panel = np.array([[1, 0, 1], [1, 0, -1], [-1, 0, -1], [-1, 0, 1]]) * (span / 2, 0, _POST)
        yield loft(panel + np.array([[[0, low, z[0]]], [[0, high, z[1]]]]), color)
        return
    for side in (-x, x):
        yield post((side, low, z[0]), (side, high, z[1]), (_POST, _POST), "rectangular", color)
    inner, rail = x - _POST, 0.09 if kind == "framed" else 0.05
    top = 1 - rail / 2 / height
    if kind == "ladder":
        shares = np.linspace(0.3, top, int(rng.integers(3, 5)))
    else:
        shares = np.array([top] if kind == "slatted" else [0.45, top])
    for y, depth in map(at, shares):
        yield bar((-inner, y, depth), (inner, y, depth), (0.024, rail), color)
    if kind == "slatted":
        y, depth = at(1 - rail / height)
        for place in np.linspace(-inner, inner, int(rng.integers(3, 6)) + 2)[1:-1]:
            yield post((place, low, z[0]), (place, y, depth), (0.012, 0.012), "rectangular", color)


def _arms(seat: tuple[float, float, float], lean: float, back_height: float, color: Color) -> Iterator[Solid]:
    """Make arm rests from the back to posts in front; `seat` is the back's width, how far behind it is, the height."""
    span, rear, low = seat
    height = 0.2
    behind = -rear - lean * height / back_height + _POST
    front = rear * 0.75
    for x in (-span / 2 + _POST, span / 2 - _POST):
        yield post((x, low, front), (x, low + height - 0.0125, front), (_POST, _POST), "rectangular", color)
        yield bar((x, low + height, behind), (x, low + height, front + _POST), (0.045, 0.025), color)
