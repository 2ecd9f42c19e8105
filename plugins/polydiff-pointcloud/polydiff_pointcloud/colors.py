"""Colours of points on surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.visual.color import uv_to_interpolated_color

from polydiff.errors import DataError

Colors = NDArray[np.float32]


def surface_colors(mesh: trimesh.Trimesh, faces: NDArray[np.int64], corners: NDArray[np.float64]) -> Colors:
    """Give the colours, (N, 3) in [0, 1], of points on a mesh: those of its faces, its vertices or its texture.

    Parameters
    ----------
    faces
        (N,): the triangle that each point lies on.
    corners
        (N, 3): its barycentric coordinates there.

    Raises
    ------
    DataError
        When the mesh has no colours.
    """
    visual = mesh.visual
    if visual.kind == "texture":
        uv = None if visual.uv is None else _interpolated(visual.uv, mesh.faces[faces], corners)
        return _textured(visual, uv, len(faces))
    if visual.kind == "face":
        return _scaled(visual.face_colors[faces])
    if visual.kind == "vertex":
        return _scaled(_interpolated(visual.vertex_colors, mesh.faces[faces], corners))
    raise DataError("has no colours")


def _textured(visual: trimesh.visual.TextureVisuals, uv: NDArray[np.float64] | None, count: int) -> Colors:
    """Give the colours of a material at texture coordinates, (N, 2): its texture times its base colour."""
    material = visual.material
    if isinstance(material, trimesh.visual.material.PBRMaterial):
        image, factor = material.baseColorTexture, material.baseColorFactor
        factor = np.full(4, 255, np.uint8) if factor is None else factor
    else:
        image, factor = material.image, None if material.image is not None else material.main_color
    colors = np.ones((count, 3), np.float32) if factor is None else np.tile(_scaled(factor), (count, 1))
    return colors if image is None or uv is None else colors * _scaled(uv_to_interpolated_color(uv, image))


def _interpolated(
    values: NDArray[Any], triangles: NDArray[np.int64], corners: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mix what the corners of triangles, (N, 3), have, by barycentric coordinates."""
    mixed: NDArray[np.float64] = np.einsum("nk,nkc->nc", corners, values[triangles].astype(np.float64))
    return mixed


def _scaled(rgba: NDArray[Any]) -> Colors:
    """Bring colours of 0 to 255 to [0, 1], without their opacity."""
    return (rgba[..., :3] / 255).astype(np.float32)
