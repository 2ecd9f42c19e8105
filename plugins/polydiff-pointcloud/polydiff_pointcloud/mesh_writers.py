"""Point clouds as the watertight meshes that they were sampled from, as bytes of a file.

Metadata stand where those of points do; an STL has no place for them. Needs the extra `mesh`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from polydiff_pointcloud import gltf, ply, writers
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.meshing.reconstruct import reconstruct, require_extra
from polydiff_pointcloud.meshing.surface import Surface

require_extra()  # before a model is run, not after


def mesh_ply(content: PointCloud, metadata: Mapping[str, str]) -> bytes:
    """Write a binary PLY with colours; each entry of the metadata becomes a comment."""
    surface = surface_of(content)
    return ply.encode(surface.vertices, metadata, colors=surface.colors, faces=surface.faces)


def mesh_glb(content: PointCloud, metadata: Mapping[str, str]) -> bytes:
    """Write a binary glTF with smooth normals and colours; the metadata go into `asset.extras`."""
    surface = surface_of(content)
    normals = surface.mesh.vertex_normals.astype(np.float32)
    return gltf.encode(surface.vertices, metadata, normals=normals, colors=surface.colors, faces=surface.faces)


def mesh_obj(content: PointCloud, metadata: Mapping[str, str]) -> bytes:
    """Write an OBJ, with colours behind the coordinates; each entry of the metadata becomes a comment."""
    surface = surface_of(content)
    points = writers.obj(PointCloud(surface.vertices, colors=surface.colors), metadata)
    return points + writers.text([f"f {a} {b} {c}" for a, b, c in (surface.faces + 1).tolist()])


def mesh_stl(content: PointCloud, metadata: Mapping[str, str]) -> bytes:  # noqa: ARG001 (as all writers)
    """Write a binary STL; the format has no place for colours and metadata."""
    surface = surface_of(content)
    table = np.zeros(len(surface.faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    table["normal"], table["corners"] = surface.mesh.face_normals, surface.vertices[surface.faces]
    return b"polydiff".ljust(80, b"\0") + struct.pack("<I", len(table)) + table.tobytes()


def facts(content: PointCloud) -> dict[str, Any]:
    """Tell what the mesh of a cloud is like and what made it."""
    surface = surface_of(content)
    return {
        "method": surface.method,
        "watertight": surface.watertight,
        "Euler number": surface.euler,
        "pieces": surface.pieces,
        "triangles": len(surface.faces),
    }


def beyond_stl(content: PointCloud) -> str | None:
    """Tell what an STL does not hold."""
    return None if content.colors is None else "has no colours"


def surface_of(content: PointCloud) -> Surface:
    """Give the surface of a cloud; the last one is remembered, since what is told of it and its file are made apart."""
    parts = content.points, content.normals, content.colors
    key = tuple(None if part is None else part.tobytes() for part in parts)
    if key not in _last:
        _last.clear()
        _last[key] = reconstruct(content)
    return _last[key]


_last: dict[tuple[bytes | None, ...], Surface] = {}
