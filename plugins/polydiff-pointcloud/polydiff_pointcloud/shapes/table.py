"""Tables."""

from __future__ import annotations

import numpy as np

from polydiff_pointcloud.shapes.legs import circle, column, corners, legs, rungs, trestles
from polydiff_pointcloud.shapes.piece import METALS, WOODS, Piece, between, counted, pick
from polydiff_pointcloud.shapes.solids import Outline, Solid, plate

_TOPS: dict[str, Outline] = {
    "rectangular": "rectangular",
    "square": "rectangular",
    "rounded": "rounded",
    "round": "round",
    "oval": "round",
    "octagonal": "octagonal",
}
_STANDS = ("legs", "legs", "column", "side boards")


def table(rng: np.random.Generator) -> Piece:
    """Make a table: a dining table or a low one, on legs, a column or side boards."""
    top = pick(rng, tuple(_TOPS))
    low = rng.random() < 0.35
    height = between(rng, 0.36, 0.5) if low else between(rng, 0.68, 0.78)
    width = between(rng, 0.75, 1.3)
    depth = round(width * (between(rng, 0.55, 0.8) if top in {"rectangular", "rounded", "oval"} else 1), 4)
    thickness = between(rng, 0.03, 0.06)
    wood = pick(rng, WOODS)
    solids = [plate(_TOPS[top], (width, depth), (0, height - thickness, 0), thickness, wood)]
    straight = top in {"rectangular", "square"}
    stand = pick(rng, _STANDS if straight else _STANDS[:3])
    count = 0
    facts: dict[str, float] = {}
    if stand == "legs":
        count = 3 if top == "round" and rng.random() < 0.5 else 4
        more, on, facts = _on_legs(rng, top, count, (width, depth, height - thickness))
        solids += more
    elif stand == "column":
        radius, foot = between(rng, 0.035, 0.06), round(0.3 * depth, 4)
        solids += column(height - thickness, radius, foot, pick(rng, ("round", "octagonal")), pick(rng, METALS))
        on = "on a column"
        facts = {"leg_thickness": 2 * radius}
    else:
        board = between(rng, 0.03, 0.06)
        solids += trestles(width * 0.8, depth * 0.8, height - thickness, board, wood)
        on = "on side boards"
        facts = {"leg_thickness": board}
    caption = f"{'a low' if low else 'an' if top[0] == 'o' else 'a'} {top} table {on}"
    sizes = {"width": width, "depth": depth, "height": height, "thickness": thickness}
    return Piece(solids, caption, {"top": top, "stand": stand, "legs": count, **sizes, **facts})


def _on_legs(
    rng: np.random.Generator, top: str, count: int, room: tuple[float, float, float]
) -> tuple[list[Solid], str, dict[str, float]]:
    """Give the legs, what the caption says of them, and their parameters; `room` is what lies below the top."""
    width, depth, height = room
    radius = between(rng, 0.022, 0.04)
    splay = between(rng, 1.1, 1.35) if rng.random() < 0.4 else 1.0
    taper = between(rng, 0.6, 1.0)
    color = pick(rng, WOODS + METALS)
    reach = {"rectangular": 0.92, "square": 0.92, "rounded": 0.84}.get(top, 0.62)
    if splay > 1:
        reach /= splay
    spots = circle(3, reach * width / 2) if count == 3 else corners(reach * width, reach * depth)
    outline: Outline = pick(rng, ("rectangular", "round"))
    solids = list(legs(spots, height, (radius * taper, radius), splay, outline, color))
    facts = {"leg_thickness": 2 * radius, "splay": splay, "taper": taper}
    words = f"with {counted(count, 'splayed leg' if splay > 1 else 'leg')}"
    if rng.random() < 0.25:
        at = round(height * between(rng, 0.2, 0.4), 4)
        solids += rungs(spots, at, height, splay, radius, 0.03, color)
        words += " and rungs"
        facts["rungs"] = at
    return solids, words, facts
