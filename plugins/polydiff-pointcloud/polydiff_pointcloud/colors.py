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
    """Give the colours, (N, 3), sRGB in [0, 1], of points on a mesh: those of its faces, its vertices or its texture.

    Parameters
    ----------
    faces
        (N,), N >= 1: the triangle that each point lies on.
    corners
        (N, 3): its barycentric coordinates there.

    Raises
    ------
    DataError
        When the mesh has no colours.
    """
    visual: Any = mesh.visual
    triangles = mesh.faces[faces]
    if visual.kind == "texture":
        if isinstance(visual.material, trimesh.visual.material.PBRMaterial):
            return _lit(visual, triangles, corners)
        return _painted(visual, triangles, corners)
    if visual.kind == "face":
        return _scaled(visual.face_colors[faces])
    if visual.kind == "vertex":
        return _scaled(_interpolated(visual.vertex_colors, triangles, corners))
    raise DataError("has no colours; data.source.colors asks for them")


def encode_vertex_colors(shape: trimesh.Trimesh | trimesh.PointCloud) -> None:
    """Turn the colours of a glTF's vertices, which are linear, into sRGB."""
    visual: Any = shape.visual
    if visual.kind == "vertex" and len(visual.vertex_colors):  # trimesh 5 gives points without colours an empty list
        rgba = visual.vertex_colors.copy()
        if rgba.shape != (len(shape.vertices), 4):
            raise DataError("has another number of colours than of vertices")
        rgba[:, :3] = np.round(255 * to_srgb(rgba[:, :3] / 255))
        visual.vertex_colors = rgba


def to_srgb(linear: NDArray[np.floating[Any]]) -> Colors:
    """Encode linear intensities in [0, 1] as sRGB does (IEC 61966-2-1)."""
    high = 1.055 * np.power(linear, 1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, high).astype(np.float32)


def _from_srgb(colors: Colors) -> Colors:
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _painted(visual: Any, triangles: NDArray[np.int64], corners: NDArray[np.float64]) -> Colors:
    """Give the colours of an OBJ's or a PLY's material: its texture, or else its diffuse colour."""
    image = visual.material.image
    if image is None:
        return np.tile(_scaled(visual.material.main_color), (len(triangles), 1))
    if visual.uv is None:
        raise DataError("has a texture without texture coordinates")
    return _scaled(uv_to_interpolated_color(_interpolated(visual.uv, triangles, corners), image))


def _lit(visual: Any, triangles: NDArray[np.int64], corners: NDArray[np.float64]) -> Colors:
    """Give the base colour of a glTF's material (section 3.9.2): factor, texture and vertex colour, multiplied."""
    factor, image = visual.material.baseColorFactor, visual.material.baseColorTexture
    color = np.ones((len(triangles), 3), np.float32)
    if factor is not None:
        color *= _scaled(factor)
    if image is not None and visual.uv is not None:
        color *= _from_srgb(_scaled(uv_to_interpolated_color(_interpolated(visual.uv, triangles, corners), image)))
    of_vertices = visual.vertex_attributes.get("color")
    if of_vertices is not None:
        scale = 1 if of_vertices.dtype.kind == "f" else 255
        color *= (_interpolated(of_vertices, triangles, corners)[:, :3] / scale).astype(np.float32)
    return to_srgb(color)


def _interpolated(
    values: NDArray[Any], triangles: NDArray[np.int64], corners: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mix what the corners of triangles, (N, 3), have, by barycentric coordinates."""
    if triangles.max() >= len(values):
        raise DataError("has fewer colours or texture coordinates than vertices")
    mixed: NDArray[np.float64] = np.einsum("nk,nkc->nc", corners, values[triangles].astype(np.float64))
    return mixed


def _scaled(rgba: NDArray[Any]) -> Colors:
    """Bring colours of 0 to 255 to [0, 1], without their opacity."""
    return (rgba[..., :3] / 255).astype(np.float32)
