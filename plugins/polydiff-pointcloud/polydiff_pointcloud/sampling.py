"""Points on surfaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import trimesh
from numpy.typing import NDArray

from polydiff.errors import DataError
from polydiff_pointcloud.cloud import PointCloud, check_range
from polydiff_pointcloud.colors import Colors, surface_colors


def sample_surface(
    meshes: trimesh.Trimesh | Sequence[trimesh.Trimesh],
    count: int,
    rng: np.random.Generator,
    *,
    normals: bool = False,
    colors: bool = False,
) -> PointCloud:
    """Draw points that are spread uniformly over the surface of a mesh, or of several together.

    Parameters
    ----------
    count
        How many, at least 1.
    rng
        Equal states give equal points.
    normals
        Give the normals of the triangles that the points lie on.
    colors
        Give the colours of the faces, of the vertices (interpolated) or of the texture.

    Raises
    ------
    DataError
        When the surface has no area, no colours where they are asked for, or coordinates beyond 32-bit floats.
    """
    parts = [meshes] if isinstance(meshes, trimesh.Trimesh) else meshes
    whole = parts[0] if len(parts) == 1 else _joined(parts)
    check_range(whole.vertices)
    if not whole.area > 0:
        raise DataError("has a surface without area")
    seed = int(rng.integers(2**63))
    points, faces, corners = trimesh.sample.sample_surface(whole, count, return_barycentric=True, seed=seed)
    return PointCloud(
        points.astype(np.float32),
        _normals(whole, faces) if normals else None,
        _colors(parts, faces, corners) if colors else None,
    )


def _joined(meshes: Sequence[trimesh.Trimesh]) -> trimesh.Trimesh:
    """Make one mesh of several, without colours."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)])
    return trimesh.Trimesh(np.concatenate([mesh.vertices for mesh in meshes]), faces, process=False)


def _normals(mesh: trimesh.Trimesh, faces: NDArray[np.int64]) -> NDArray[np.float32]:
    """Give the unit normals of triangles, whatever normals the mesh's file had."""
    corners = mesh.vertices[mesh.faces[faces]]
    cross: NDArray[np.float64] = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals: NDArray[np.float32] = (cross / np.linalg.norm(cross, axis=1, keepdims=True)).astype(np.float32)
    return normals


def _colors(meshes: Sequence[trimesh.Trimesh], faces: NDArray[np.int64], corners: NDArray[np.float64]) -> Colors:
    """Give the colours of points on `faces`, which count on from mesh to mesh."""
    colors = np.empty((len(faces), 3), np.float32)
    start = 0
    for mesh in meshes:
        here = (start <= faces) & (faces < start + len(mesh.faces))
        if here.any():
            colors[here] = surface_colors(mesh, faces[here] - start, corners[here])
        start += len(mesh.faces)
    return colors
