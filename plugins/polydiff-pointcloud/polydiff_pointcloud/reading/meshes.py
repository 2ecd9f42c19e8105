"""Meshes, read by trimesh."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import trimesh
from numpy.typing import NDArray

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_pointcloud.colors import encode_vertex_colors
from polydiff_pointcloud.normalising import normalise, upright
from polydiff_pointcloud.reading.archive import stored
from polydiff_pointcloud.reading.confined import Confined
from polydiff_pointcloud.reading.limits import check_count
from polydiff_pointcloud.reading.mesh_headers import off_counts
from polydiff_pointcloud.reading.options import Options
from polydiff_pointcloud.reading.picking import choose
from polydiff_pointcloud.reading.raw import Raw, check_finite


def read_geometry(
    path: File, options: Options, root: Path | None
) -> tuple[list[trimesh.Trimesh], list[trimesh.PointCloud]]:
    """Give the meshes of a file, each where its scene puts it, or else its points. Lines, and points beside
    meshes, are left out.

    Raises
    ------
    DataError
        When it cannot be read, names a file outside `root`, or has neither meshes nor points.
    """
    resolver = Confined(path, root)
    try:
        shapes = _shapes(path, options, resolver)
    except (OSError, DataError):
        raise
    except Exception as error:
        raise resolver.fault or DataError(f"cannot be decoded: {_line(error)}") from error
    if resolver.fault is not None:
        raise resolver.fault
    meshes = [shape for shape in shapes if isinstance(shape, trimesh.Trimesh) and len(shape.faces)]
    clouds = [] if meshes else [shape for shape in shapes if isinstance(shape, trimesh.PointCloud)]
    if not meshes and not clouds:
        raise DataError("is empty: it has neither triangles nor points")
    found: list[trimesh.Trimesh | trimesh.PointCloud] = [*meshes, *clouds]
    for shape in found:
        if shape.vertices.shape[1:] != (3,):
            raise DataError("has vertices that are not of 3 numbers")
        check_finite(shape.vertices, "vertex" if meshes else "point")
        if path.suffix.lower() in {".glb", ".gltf"}:
            encode_vertex_colors(shape)
    _check_faces(meshes, path)
    return meshes, clouds


def normalised(meshes: Sequence[trimesh.Trimesh], options: Options) -> list[trimesh.Trimesh]:
    """Turn, move and scale meshes together, by the vertices that their triangles have."""
    used = [_used(mesh) for mesh in meshes]
    vertices = np.concatenate([mesh.vertices[each] for mesh, each in zip(meshes, used, strict=True)])
    vertices = normalise(upright(vertices, options.up), options.normalize)
    ends = np.cumsum([each.sum() for each in used])[:-1]
    for mesh, each, part in zip(meshes, used, np.split(vertices, ends), strict=True):
        moved = np.zeros_like(mesh.vertices)
        moved[each] = part
        mesh.vertices = moved
    return list(meshes)


def _used(mesh: trimesh.Trimesh) -> NDArray[np.bool_]:
    """Tell which vertices are corners of triangles."""
    used = np.zeros(len(mesh.vertices), bool)
    used[mesh.faces] = True
    return used


def points_of(clouds: Sequence[trimesh.PointCloud], options: Options, rng: np.random.Generator) -> Raw:
    """Give the points of clouds, and their colours when all of them have some."""
    points = np.concatenate([cloud.vertices for cloud in clouds])
    chosen = choose(len(points), options.points, rng)
    colors = None
    if options.colors and all(len(cloud.colors) == len(cloud.vertices) for cloud in clouds):
        colors = np.concatenate([cloud.colors for cloud in clouds])[chosen, :3]
    return Raw(points[chosen], None, colors)


def _shapes(path: File, options: Options, resolver: Confined) -> list[trimesh.parent.Geometry]:
    """Let trimesh read a file, which may raise nearly anything."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), _opened(path) as file:
        # NumPy gives what it could read before the fault, with this warning.
        warnings.filterwarnings("error", "string or file could not be read", DeprecationWarning)
        kind, bare = path.suffix[1:].lower(), not options.colors
        scene = trimesh.load_scene(
            file,
            file_type=kind,
            resolver=resolver,  # type: ignore[arg-type]  # has what loaders use of a resolver
            process=False,
            skip_materials=bare,
        )
        _check_size(scene, options)
        return [shape for shape in scene.dump() if len(getattr(shape, "vertices", ()))]


def _opened(path: File) -> IO[bytes]:
    return stored(path, ".model") if path.suffix.lower() == ".3mf" else path.open("rb")


def _check_size(scene: trimesh.Scene, options: Options) -> None:
    """Raise `DataError` when the shapes of a scene, as often as they show, have too many vertices."""
    shown = (scene.geometry[scene.graph[node][1]] for node in scene.graph.nodes_geometry)
    check_count(sum(len(getattr(shape, "vertices", ())) for shape in shown), options, "vertices")


def _check_faces(meshes: Sequence[trimesh.Trimesh], path: File) -> None:
    for mesh in meshes:
        if mesh.faces.shape[1:] != (3,):
            raise DataError("has faces that are no triangles, and cannot be made some")
        low, high = mesh.faces.min(), mesh.faces.max()
        if low < 0 or high >= len(mesh.vertices):
            raise DataError(f"has a triangle with vertex {low if low < 0 else high} of {len(mesh.vertices)}")
    if path.suffix.lower() == ".off":
        count, there = off_counts(path.read_bytes())[1], sum(len(mesh.faces) for mesh in meshes)
        if there < count:
            raise DataError(f"is truncated: {count - there} of its {count} faces are missing")


def _line(error: Exception) -> str:
    """Give one line of what an exception says."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return text if len(text) <= 200 else f"{text[:197]}..."
