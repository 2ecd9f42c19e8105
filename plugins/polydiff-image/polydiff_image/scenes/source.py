"""Pictures of coloured shapes, and sentences that say exactly what is in them and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image

from polydiff.data.example import Example
from polydiff.errors import UsageError
from polydiff_image.scenes.scene import COLOURS, KINDS, PAPER, Kind, Thing, describe, parse_kind
from polydiff_image.scenes.shapes import OUTLINES, coverage

HELD_OUT = ("red triangle", "green circle", "blue square")

RADII = 0.1, 0.135
"""Of the circles of the same area, over the side of the picture."""

GAP = 0.05
"""At least between the frames around two things, and from them to the picture's edge, over its side."""

CLEARLY = 0.08
"""By how much more two things whose relation is told lie apart on one axis than on the other, over the side."""

MOST = 3
"""Things in a scene."""

_PARTS = ("train", "held-out", "all")

_ATTEMPTS = 32
"""Arrangements that are drawn at a time."""


class Scenes:
    """One to three shapes on black, anti-aliased, and a sentence on how each lies to the next.

    The caption is "a red circle left of a blue square above a green triangle": of things that follow each other in the
    sentence, the first lies left of, right of, above or below the second, by the axis on which they are farther apart.
    The attribute `things` is their number. Scene i is a function of (seed, part, i) alone.

    Parameters
    ----------
    size
        Side of the pictures, in pixels, at least 16.
    count
        How many scenes there are.
    held_out
        Kinds of things, a colour and a shape each, that are not shown in training.
    part
        "train": scenes without them; "held-out": scenes each of which has one at least; "all" makes no difference.
    things
        How many things a scene has at most, 1 to 3.
    seed
        Of the scenes.

    Raises
    ------
    UsageError
        When an option is out of its range, a kind is none, or nothing would be left to show.
    """

    classes: Sequence[str] = ()
    unreadable: Sequence[str] = ()

    def __init__(
        self,
        size: int = 32,
        count: int = 50000,
        held_out: tuple[str, ...] = HELD_OUT,
        part: Literal["train", "held-out", "all"] = "train",
        things: int = MOST,
        seed: int = 0,
    ) -> None:
        if size < 16 or count < 1 or not 1 <= things <= MOST or seed < 0:
            raise UsageError(
                f"scenes need size >= 16, count >= 1, things 1 to {MOST} and seed >= 0, "
                f"got {size}, {count}, {things} and {seed}"
            )
        self.size, self.count, self.things, self.seed = size, count, things, seed
        self.part = part
        self.kept_apart = frozenset(map(parse_kind, held_out))
        self.shown = [kind for kind in KINDS if kind not in self.kept_apart]
        if not self.shown or (part == "held-out" and not self.kept_apart):
            raise UsageError(f"scenes: of the kinds of things none is left for the part '{part}'; change held_out")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """Draw a scene, of mode RGB."""
        things = self.scene(index)
        return Example(
            draw(things, self.size),
            self.name(index),
            caption=str(describe(things)),
            attributes={"things": len(things)},
        )

    def name(self, index: int) -> str:
        """Give "scene 17 (train)"."""
        return f"scene {index} ({self.part})"

    def label(self, index: int) -> None:
        """Scenes have no labels."""
        return

    def scene(self, index: int) -> list[Thing]:
        """Give what is in a scene, in the order in which its sentence names the things."""
        rng = np.random.default_rng((self.seed, _PARTS.index(self.part), index))
        kinds = self._kinds(rng)
        while True:
            for things in self._arrangements(kinds, rng):
                if _apart(things, self.size):
                    return things

    def _kinds(self, rng: np.random.Generator) -> list[Kind]:
        """Draw the kinds of the things of a scene; more things are as likely as there are of them."""
        numbers = np.arange(1, self.things + 1)
        count = int(rng.choice(numbers, p=numbers / numbers.sum()))
        kinds: Sequence[Kind] = self.shown if self.part == "train" else KINDS
        chosen = [kinds[i] for i in rng.integers(len(kinds), size=count)]
        if self.part == "held-out" and self.kept_apart.isdisjoint(chosen):
            apart = sorted(self.kept_apart, key=str)
            chosen[rng.integers(count)] = apart[rng.integers(len(apart))]
        return chosen

    def _arrangements(self, kinds: Sequence[Kind], rng: np.random.Generator) -> list[list[Thing]]:
        """Draw places and sizes, all of them inside the picture."""
        arrangements = []
        for row in rng.random((_ATTEMPTS, len(kinds), 3)):
            things = []
            for kind, (across, down, large) in zip(kinds, row, strict=True):
                radius = self.size * (RADII[0] + large * (RADII[1] - RADII[0]))
                outline, margin = OUTLINES[kind.shape], GAP * self.size
                left, right = margin + radius * outline.left, self.size - margin - radius * outline.right
                top, bottom = margin + radius * outline.top, self.size - margin - radius * outline.bottom
                things.append(Thing(kind, left + across * (right - left), top + down * (bottom - top), radius))
            arrangements.append(things)
        return arrangements


def draw(things: Sequence[Thing], size: int) -> Image.Image:
    """Draw a scene of things that do not overlap."""
    levels = np.tile(np.array(PAPER, np.float64), (size, size, 1))
    for thing in things:
        share, (rows, columns) = coverage(thing.kind.shape, thing.x, thing.y, thing.radius, size)
        levels[rows, columns] += share[..., None] * (np.array(COLOURS[thing.kind.colour]) - levels[rows, columns])
    return Image.fromarray(levels.round().astype(np.uint8))


def _apart(things: Sequence[Thing], size: int) -> bool:
    """Tell whether no two things touch, and all relations that a sentence tells are clear."""
    for i, first in enumerate(things):
        for j, second in enumerate(things[i + 1 :], i + 1):
            one, other = OUTLINES[first.kind.shape], OUTLINES[second.kind.shape]
            across = max(
                second.x - other.left * second.radius - first.x - one.right * first.radius,
                first.x - one.left * first.radius - second.x - other.right * second.radius,
            )
            down = max(
                second.y - other.top * second.radius - first.y - one.bottom * first.radius,
                first.y - one.top * first.radius - second.y - other.bottom * second.radius,
            )
            if max(across, down) < GAP * size:
                return False
            lean = abs(abs(second.x - first.x) - abs(second.y - first.y))
            if j == i + 1 and lean < CLEARLY * size:
                return False
    return True
