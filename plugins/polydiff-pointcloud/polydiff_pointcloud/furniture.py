"""Parametric furniture: shapes with labels, captions and parameters that need no download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polydiff.data.example import Example
from polydiff.errors import UsageError
from polydiff_pointcloud.normalising import Normalization, normalise
from polydiff_pointcloud.sampling import sample_surface
from polydiff_pointcloud.shapes import KINDS, MAKERS, Kind

KEPT = 2**26
"""How many numbers an instance keeps in memory, 256 MiB of them."""


class Furniture:
    """Pieces of equally many kinds each, standing upright, sampled on their surface.

    The label is the kind, the caption says what it looks like ("a round table with three legs"), and the attributes
    are the exact parameters: lengths in metres (`width`, `depth`, `height`, ...), counts (`legs`, `boards`, ...)
    and kinds of parts (`top`, `stand`, `back`, `shade`, ...), as far as a piece has them. Piece i is a function of the
    seed and i; it is built when it is first needed and kept in memory as long as there is room.

    Parameters
    ----------
    count
        How many pieces there are.
    kinds
        Which kinds there are, in turn.
    points
        How many points are drawn on the surface of each.
    normals, colors
        Give the points' normals, and the colours of the parts that they lie on.
    normalize
        `unit-sphere` and `unit-box` centre each piece and bring it to one size; `none` leaves it standing on y = 0, in
        metres.
    seed
        Other seeds give other pieces.

    Raises
    ------
    UsageError
        When an option is out of range.
    """

    unreadable: Sequence[str] = ()

    def __init__(
        self,
        count: int = 2000,
        kinds: tuple[Kind, ...] = KINDS,
        points: int = 2048,
        normals: bool = False,
        colors: bool = False,
        normalize: Normalization = "unit-sphere",
        seed: int = 0,
    ) -> None:
        if count < 1:
            raise UsageError(f"count is {count}; a source needs at least 1 piece")
        if not kinds or len(set(kinds)) < len(kinds):
            raise UsageError(f"kinds are {', '.join(kinds) or 'none'}; name at least one, and each once")
        if points < 1:
            raise UsageError(f"points is {points}; a piece needs at least 1 point")
        if seed < 0:
            raise UsageError(f"seed is {seed}; it must be at least 0")
        self.classes: Sequence[str] = kinds
        self.count = count
        self.kinds = kinds
        self.points = points
        self.normals = normals
        self.colors = colors
        self.normalize: Normalization = normalize
        self.seed = seed
        self._room = KEPT // (points * 3 * (1 + normals + colors))
        self._kept: dict[int, Example] = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """Build a piece, or give it again."""
        example = self._kept.get(index)
        if example is None:
            example = self._made(index)
            if len(self._kept) < self._room:
                self._kept[index] = example
        return example

    def name(self, index: int) -> str:
        """Give "piece 17"."""
        return f"piece {index}"

    def label(self, index: int) -> Kind:
        """Give the kind."""
        return self.kinds[index % len(self.kinds)]

    def _made(self, index: int) -> Example:
        rng = np.random.default_rng((self.seed, index))
        kind = self.label(index)
        piece = MAKERS[kind](rng)
        mesh = piece.mesh()
        mesh.vertices = normalise(mesh.vertices, self.normalize)
        cloud = sample_surface(mesh, self.points, rng, normals=self.normals, colors=self.colors)
        return Example(cloud, self.name(index), kind, piece.caption, piece.attributes)
