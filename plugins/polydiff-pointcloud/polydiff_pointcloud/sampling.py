"""Points on surfaces."""

from __future__ import annotations

import numpy as np
import trimesh

from polydiff.errors import DataError
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.colors import surface_colors


def sample_surface(
    mesh: trimesh.Trimesh, count: int, rng: np.random.Generator, *, normals: bool = False, colors: bool = False
) -> PointCloud:
    """Draw points that are spread uniformly over a surface.

    Parameters
    ----------
    count
        How many, at least 1.
    rng
        Equal states give equal points.
    normals
        Give the normals of the triangles that the points lie on.
    colors
        Give the colours of the faces, of the vertices (interpolated) or of the texture; a mesh without any has none.

    Raises
    ------
    DataError
        When the surface has no area.
    """
    if not mesh.area_faces.sum() > 0:
        raise DataError("its surface has no area")
    seed = int(rng.integers(2**63))
    points, faces, corners = trimesh.sample.sample_surface(mesh, count, return_barycentric=True, seed=seed)
    return PointCloud(
        np.ascontiguousarray(points, np.float32),
        mesh.face_normals[faces].astype(np.float32) if normals else None,
        surface_colors(mesh, faces, corners) if colors else None,
    )
