"""A piece of furniture, and what choosing one needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import trimesh

from polydiff_pointcloud.shapes.solids import Color, Solid

T = TypeVar("T")

WOODS: tuple[Color, ...] = ((0.76, 0.60, 0.42), (0.55, 0.36, 0.22), (0.36, 0.22, 0.14), (0.87, 0.78, 0.62))
METALS: tuple[Color, ...] = ((0.25, 0.25, 0.27), (0.62, 0.63, 0.65), (0.90, 0.90, 0.90))
CLOTHS: tuple[Color, ...] = ((0.70, 0.20, 0.18), (0.20, 0.35, 0.60), (0.30, 0.50, 0.32), (0.85, 0.70, 0.35))

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")


@dataclass(frozen=True, slots=True)
class Piece:
    """Solids that touch each other, with a caption and the parameters that they were made with.

    Attributes
    ----------
    attributes
        Lengths are in metres.
    """

    solids: Sequence[Solid]
    caption: str
    attributes: Mapping[str, float | str]

    def mesh(self) -> trimesh.Trimesh:
        """Make one mesh of all solids, in metres, each face with its colour."""
        starts = np.cumsum([0] + [len(solid.vertices) for solid in self.solids[:-1]])
        faces = np.concatenate([solid.faces + start for solid, start in zip(self.solids, starts, strict=True)])
        colors = np.repeat([solid.color for solid in self.solids], [len(solid.faces) for solid in self.solids], axis=0)
        vertices = np.concatenate([solid.vertices for solid in self.solids])
        return trimesh.Trimesh(vertices, faces, face_colors=colors, process=False)


class Maker(Protocol):
    """Makes one kind of furniture."""

    def __call__(self, rng: np.random.Generator) -> Piece:
        """Draw all that a piece's kind leaves open, and build it: it stands on y = 0, about the origin."""


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of `options`, all equally likely."""
    return options[int(rng.integers(len(options)))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number, uniformly, to a tenth of a millimetre."""
    return round(float(rng.uniform(low, high)), 4)


def counted(count: int, noun: str) -> str:
    """Give "one board", "three boards"."""
    return f"{_NUMBERS[count]} {noun}{'' if count == 1 else 's'}"
