"""What a scene is: things in places, the relations between them, and the sentences that say so."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from polydiff.errors import UsageError, unknown

COLOURS = {
    "red": (235, 50, 45),
    "green": (50, 190, 75),
    "blue": (55, 95, 250),
    "yellow": (250, 220, 50),
    "cyan": (60, 215, 230),
    "magenta": (230, 60, 215),
}
PAPER = (0, 0, 0)
"""Behind all things: the shares of their edges are then the shares of their colours."""

SHAPES = ("circle", "square", "triangle")
RELATIONS = {"left of": (1, 0), "right of": (-1, 0), "above": (0, 1), "below": (0, -1)}
"""Where the second thing lies, seen from the first: to the right, and down."""

_RELATION = re.compile(f" ({'|'.join(RELATIONS)}) ")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a thing is, wherever it lies."""

    colour: str
    shape: str

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}"


KINDS = tuple(Kind(colour, shape) for colour in COLOURS for shape in SHAPES)


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing in a picture.

    Attributes
    ----------
    x, y
        Of its centre of mass, in pixels from the upper left corner of the picture, y downwards.
    radius
        Of the circle of the same area, in pixels.
    """

    kind: Kind
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """Kinds of things, and how each but the last lies to the next."""

    kinds: tuple[Kind, ...]
    relations: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = [f"a {kind}" for kind in self.kinds]
        return said[0] + "".join(f" {how} {what}" for how, what in zip(self.relations, said[1:], strict=True))


def parse_kind(text: str) -> Kind:
    """Read "red circle".

    Raises
    ------
    UsageError
        When it is no colour and shape; the message gives the nearest.
    """
    colour, _, shape = text.partition(" ")
    if colour not in COLOURS:
        raise UsageError(unknown("colour", colour, COLOURS))
    if shape not in SHAPES:
        raise UsageError(unknown("shape", shape, SHAPES))
    return Kind(colour, shape)


def parse_sentence(text: str) -> Sentence:
    """Read "a red circle left of a blue square above a green triangle"; raises as `parse_kind` does."""
    things, relations = _RELATION.split(text)[::2], _RELATION.findall(text)
    for thing in things:
        if not thing.startswith("a "):
            raise UsageError(f"'{thing}' is no thing of a scene; say 'a red circle'")
    return Sentence(tuple(parse_kind(thing[2:]) for thing in things), tuple(relations))


def relation(first: Thing, second: Thing) -> str:
    """Say how one thing lies to another, by the axis on which they are farther apart."""
    across, down = second.x - first.x, second.y - first.y
    if abs(across) > abs(down):
        return "left of" if across > 0 else "right of"
    return "above" if down > 0 else "below"


def describe(things: Sequence[Thing]) -> Sentence:
    """Say what things are, and how each lies to the next."""
    return Sentence(
        tuple(thing.kind for thing in things),
        tuple(relation(first, second) for first, second in itertools.pairwise(things)),
    )


def holds(sentence: Sentence, things: Sequence[Thing]) -> bool:
    """Tell whether a sentence is true of a scene, and of all that is in it."""
    return len(things) == len(sentence.kinds) and any(
        describe(order) == sentence for order in itertools.permutations(things)
    )
