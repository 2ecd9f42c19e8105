"""A surface of triangles, and what is to be known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

STRAY = 0.01
"""The share of the whole area below which a piece of a surface is none of the shape."""


class UnmadeError(Exception):
    """A method gave no surface; the message says why."""


@dataclass(frozen=True)
class Surface:
    """Triangles, outside seen counter-clockwise.

    Attributes
    ----------
    vertices
        (V, 3) float32.
    faces
        (F, 3) int32 places of vertices.
    method
        What made it, and why no better method did.
    colors
        (V, 3) float32 in [0, 1], or `None`.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    method: str
    colors: NDArray[np.float32] | None = None

    @cached_property
    def mesh(self) -> trimesh.Trimesh:
        """The same, as trimesh has it."""
        return trimesh.Trimesh(self.vertices, self.faces, process=False)

    @property
    def watertight(self) -> bool:
        """Whether it bounds a solid: every edge belongs to two triangles, which run along it in opposite senses."""
        return bool(len(self.faces) and self.mesh.is_watertight and self.mesh.is_winding_consistent)

    @property
    def euler(self) -> int:
        """Vertices - edges + triangles: of closed surfaces 2 for each piece, and 2 less for each handle."""
        return int(self.mesh.euler_number)

    @property
    def pieces(self) -> int:
        """How many pieces are not connected with each other."""
        return int(self._pieces[0])

    @cached_property
    def _pieces(self) -> tuple[int, NDArray[np.int32]]:
        """Count the pieces, and tell which one each face belongs to."""
        ends = self.mesh.edges
        count = len(self.vertices)
        joined = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(count, count))
        _, label = connected_components(joined, directed=False)
        used, of_face = np.unique(label[self.faces[:, 0]], return_inverse=True)
        return len(used), of_face.astype(np.int32)

    def without_strays(self) -> Surface:
        """Leave out pieces that are too small to be part of the shape, and vertices of no triangle."""
        count, piece = self._pieces
        areas = np.bincount(piece, self.mesh.area_faces, count)
        faces = self.faces[(areas >= STRAY * areas.sum())[piece]]
        used, places = np.unique(faces, return_inverse=True)
        return replace(self, vertices=self.vertices[used], faces=places.reshape(-1, 3).astype(np.int32))

    def outwards(self) -> Surface:
        """Turn it inside out if its volume is negative."""
        return self if self.mesh.volume >= 0 else replace(self, faces=self.faces[:, ::-1])
