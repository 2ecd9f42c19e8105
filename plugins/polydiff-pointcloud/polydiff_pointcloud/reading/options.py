"""What is read of a file, and how much at most."""

from __future__ import annotations

from dataclasses import dataclass

from polydiff.errors import UsageError
from polydiff_pointcloud.normalising import Normalization, Up

BYTES_A_POINT = 150
"""That a file takes at most for a vertex and its two triangles: text in XML is the longest."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a file becomes a point cloud.

    Attributes
    ----------
    points
        So many are drawn on the surface of a mesh. Of a point file, so many are kept, drawn at random, if it has more.
    normals, colors
        Whether they are read; a file without is then refused.
    up
        The axis that points up in the files; shapes of z are turned so that it is y.
    normalize
        `unit-sphere` and `unit-box` centre each shape and bring it to one size; `none` leaves it as it is.
    max_points
        Files with more points or vertices are refused.

    Raises
    ------
    UsageError
        When a number is out of range.
    """

    points: int = 16384
    normals: bool = False
    colors: bool = False
    up: Up = "y"
    normalize: Normalization = "unit-sphere"
    max_points: int = 20_000_000

    def __post_init__(self) -> None:
        if self.points < 1:
            raise UsageError(f"points is {self.points}; a shape needs at least 1 point")
        if self.max_points < 1:
            raise UsageError(f"max_points is {self.max_points}; it must be at least 1")

    @property
    def max_bytes(self) -> int:
        """What a mesh file may hold, unpacked."""
        return BYTES_A_POINT * self.max_points
