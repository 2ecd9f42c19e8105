"""Stools."""

from __future__ import annotations

import numpy as np

from polydiff_pointcloud.shapes.legs import circle, column, corners, legs, rungs
from polydiff_pointcloud.shapes.piece import CLOTHS, METALS, WOODS, Piece, between, counted, pick
from polydiff_pointcloud.shapes.solids import Outline, plate

_SEATS: dict[str, Outline] = {"round": "round", "square": "rectangular", "rounded": "rounded", "hexagonal": "hexagonal"}


def stool(rng: np.random.Generator) -> Piece:
    """Make a stool: low or for a bar, on three or four legs or a column."""
    seat = pick(rng, tuple(_SEATS))
    high = rng.random() < 0.5
    height = between(rng, 0.62, 0.8) if high else between(rng, 0.42, 0.52)
    width = between(rng, 0.28, 0.36)
    thickness = between(rng, 0.03, 0.07)
    solids = [plate(_SEATS[seat], (width, width), (0, height - thickness, 0), thickness, pick(rng, WOODS + CLOTHS))]
    color = pick(rng, WOODS + METALS)
    facts: dict[str, float]
    room = height - thickness
    count = 0
    if rng.random() < 0.2:
        radius = between(rng, 0.02, 0.035)
        solids += column(room, radius, round(0.48 * width, 4), "round", color)
        facts, on = {"leg_thickness": 2 * radius}, "on a column"
    else:
        count = 3 if seat in {"round", "hexagonal"} and rng.random() < 0.6 else 4
        radius = between(rng, 0.015, 0.024)
        splay = between(rng, 1.15, 1.5) if rng.random() < 0.6 else 1.0
        reach = 0.8 if seat == "square" else 0.62
        spots = circle(3, reach * width / 2 * 1.2) if count == 3 else corners(reach * width, reach * width)
        solids += legs(spots, room, (radius, radius), splay, pick(rng, ("rectangular", "round")), color)
        facts = {"leg_thickness": 2 * radius, "splay": splay}
        on = f"with {counted(count, 'splayed leg' if splay > 1 else 'leg')}"
        if rng.random() < 0.6:
            at = round(room * between(rng, 0.25, 0.45), 4)
            solids += rungs(spots, at, room, splay, radius, 0.02, color)
            facts["rungs"] = at
            on += " and rungs"
    caption = f"a {'high' if high else 'low'} {seat} stool {on}"
    sizes = {"width": width, "depth": width, "height": height, "thickness": thickness}
    kinds = {"top": seat, "stand": "legs" if count else "column", "legs": count}
    return Piece(solids, caption, {**kinds, **sizes, **facts})
