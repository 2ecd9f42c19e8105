"""Files as point clouds: meshes, sampled on their surface, and points.

Anybody may have made them: headers are looked at before anything is read as a whole, sizes are bounded, nothing is
unpickled or fetched, and what a file names has to stay in the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.reading import arrays, gltf_header, mesh_headers, ply, text
from polydiff_pointcloud.reading.meshes import normalised, points_of, read_geometry
from polydiff_pointcloud.reading.options import Options
from polydiff_pointcloud.reading.raw import Raw
from polydiff_pointcloud.sampling import sample_surface

_POINTS: Mapping[str, Callable[[File, Options, np.random.Generator], Raw]] = MappingProxyType(
    {".npy": arrays.read_npy, ".npz": arrays.read_npz, ".xyz": text.read}
)
"""How files of nothing but points are read."""

_CHECKS: Mapping[str, Callable[[File, Options], None]] = MappingProxyType(
    {
        ".3mf": mesh_headers.check_3mf,
        ".npy": arrays.check_npy,
        ".npz": arrays.check_npz,
        ".obj": mesh_headers.check_obj,
        ".off": mesh_headers.check_off,
        ".ply": ply.check,
        ".stl": mesh_headers.check_stl,
        ".xyz": text.check,
    }
)

_GLTF = frozenset((".glb", ".gltf"))

SUFFIXES: frozenset[str] = _GLTF.union(_CHECKS)

DEFAULT = Options()


def check(path: File, options: Options, root: Path | None) -> None:
    """Look at a file's header, quickly.

    Parameters
    ----------
    root
        The folder that files which it names have to stay in; `None` for a file in an archive, which names none.

    Raises
    ------
    DataError
        With the reason why it is not read.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError("has no name that says of what kind it is; data.source.suffix=.ply says it for all")
    try:
        if suffix in _GLTF:
            gltf_header.check(path, options, root)
        else:
            _CHECKS[suffix](path, options)
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror or error}") from error


def read(path: File, options: Options, root: Path | None) -> PointCloud:
    """Read a file that has passed `check`: the same cloud each time, wherever the file lies.

    Raises
    ------
    DataError
        With the reason why that fails.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).digest()))
    try:
        return _read(path, options, root, rng)
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror or error}") from error


def read_cloud(path: Path, options: Options = DEFAULT) -> PointCloud:
    """Check and read a single file as the source `folder` does; files that it names have to stay in its own folder.

    Raises
    ------
    DataError
        When it cannot be read; the message begins with its path.
    """
    try:
        if not path.exists():
            raise DataError("there is no such file")
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(f"is no file of a kind that is read: {', '.join(sorted(SUFFIXES))}")
        check(path, options, path.parent)
        return read(path, options, path.parent)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _read(path: File, options: Options, root: Path | None, rng: np.random.Generator) -> PointCloud:
    suffix = path.suffix.lower()
    if suffix in _POINTS:
        return _POINTS[suffix](path, options, rng).cloud(options)
    if suffix == ".ply" and not ply.holds_faces(path):
        return ply.read_points(path, options, rng).cloud(options)
    meshes, clouds = read_geometry(path, options, root)
    if clouds:
        return points_of(clouds, options, rng).cloud(options)
    return sample_surface(
        normalised(meshes, options), options.points, rng, normals=options.normals, colors=options.colors
    )
