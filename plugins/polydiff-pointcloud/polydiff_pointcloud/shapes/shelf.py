"""Shelves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from polydiff_pointcloud.shapes.piece import METALS, WOODS, Piece, between, counted, pick
from polydiff_pointcloud.shapes.solids import Color, Solid, plate, post

_BOARD, _PANEL, _POST = 0.028, 0.012, 0.035
"""How thick boards, a back panel and corner posts are."""


def shelf(rng: np.random.Generator) -> Piece:
    """Make a shelf: boards between side panels, perhaps with a back panel and dividers, or on corner posts."""
    stand = pick(rng, ("panels", "panels", "posts"))
    boards = int(rng.integers(3, 7))
    size = between(rng, 0.5, 1.2), round(boards * between(rng, 0.27, 0.36), 4), between(rng, 0.24, 0.4)
    back, dividers = "open", 0
    if stand == "panels":
        back = pick(rng, ("open", "panel"))
        dividers = int(rng.integers(1, 3)) if size[0] > 0.8 and rng.random() < 0.5 else 0
        solids = list(_between_panels(size, boards, dividers, back == "panel", pick(rng, WOODS)))
    else:
        foot = between(rng, 0.05, 0.15)
        solids = list(_on_posts(size, boards, foot, pick(rng, WOODS), pick(rng, METALS)))
    parts = [counted(boards, "board"), *([counted(dividers, "divider")] if dividers else [])]
    parts += ["a back panel"] if back == "panel" else []
    more = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    caption = f"a shelf with {more}{' on posts' if stand == 'posts' else ''}"
    kinds: dict[str, float | str] = {"stand": stand, "boards": boards, "dividers": dividers, "back": back}
    lengths = {"width": size[0], "height": size[1], "depth": size[2], "thickness": _BOARD}
    return Piece(solids, caption, {**kinds, **lengths})


def _between_panels(
    size: tuple[float, float, float], boards: int, dividers: int, back: bool, color: Color
) -> Iterator[Solid]:
    """Make boards from one side panel to the other, the lowest on the floor; `size` is width, height and depth."""
    width, height, depth = size
    z = 0.0
    if back:
        yield plate("rectangular", (width, _PANEL), (0, 0, (_PANEL - depth) / 2), height, color)
        depth, z = depth - _PANEL, _PANEL / 2
    for side in (-1, 1):
        yield plate("rectangular", (_BOARD, depth), (side * (width - _BOARD) / 2, 0, z), height, color)
    levels = np.linspace(0, height - _BOARD, boards)
    for y in levels:
        yield plate("rectangular", (width - 2 * _BOARD, depth), (0, y, z), _BOARD, color)
    for x in np.linspace(-width / 2, width / 2, dividers + 2)[1:-1]:
        for low, high in zip(levels[:-1], levels[1:], strict=True):
            yield plate("rectangular", (_BOARD, depth), (x, low + _BOARD, z), high - low - _BOARD, color)


def _on_posts(size: tuple[float, float, float], boards: int, foot: float, wood: Color, metal: Color) -> Iterator[Solid]:
    """Make boards, the lowest at the height `foot`, between posts in front of them and behind."""
    width, height, depth = size
    for y in np.linspace(foot, height - _BOARD, boards):
        yield plate("rectangular", (width, depth - 2 * _POST), (0, y, 0), _BOARD, wood)
    for x in (0.06 - width / 2, width / 2 - 0.06):
        for z in ((_POST - depth) / 2, (depth - _POST) / 2):
            yield post((x, 0, z), (x, height, z), (_POST / 2, _POST / 2), "rectangular", metal)
