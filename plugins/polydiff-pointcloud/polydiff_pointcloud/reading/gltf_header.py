"""What a glTF 2.0 file says that it holds (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_pointcloud.reading.confined import locate
from polydiff_pointcloud.reading.limits import check_bytes, check_count
from polydiff_pointcloud.reading.options import Options

_COMPRESSED = {"KHR_draco_mesh_compression", "EXT_meshopt_compression"}
_COLORS = {5121, 5126}
"""Types of colours: unsigned bytes and floats."""

_NUMBERS = 6
"""For each vertex in an array of indices, where each vertex has two triangles."""


def check(path: File, options: Options, root: Path | None) -> None:
    """Look at the JSON of a `.gltf` or a `.glb`: versions, numbers of vertices, named files.

    Raises
    ------
    DataError
        When it is damaged, too large, compressed, or names a file outside `root`.
    """
    check_bytes(path.stat().st_size, options)
    content = _json_of(path) if path.suffix.lower() == ".glb" else path.read_bytes()
    try:
        document = json.loads(content)
        _check_document(document, path, root, options)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise DataError(f"is no glTF, or damaged: {type(error).__name__}: {error}") from error


def _json_of(path: File) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(20)
        if len(head) < 20 or head[:4] != b"glTF" or head[16:] != b"JSON":
            raise DataError("is no GLB file")
        version, length, json_length = struct.unpack("<III", head[4:16])
        if version != 2:
            raise DataError(f"is of version {version} of glTF; 2 is read")
        if size < length or json_length > length:
            raise DataError(f"is truncated: {length - size} of its {length} bytes are missing")
        return file.read(json_length)


def _check_document(document: dict[str, Any], path: File, root: Path | None, options: Options) -> None:
    version = str(document["asset"]["version"])
    if not version.startswith("2."):
        raise DataError(f"is of version {version} of glTF; 2 is read")
    compressed = sorted(_COMPRESSED.intersection(document.get("extensionsRequired", ())))
    if compressed:
        raise DataError(f"is compressed with {compressed[0]}, which is not read")
    for part in (*document.get("buffers", ()), *document.get("images", ())):
        uri = part.get("uri")
        if uri is not None and not uri.startswith("data:"):
            locate(uri, path, root)
    accessors = document.get("accessors", [])
    most = _NUMBERS * options.max_points
    large = next((each["count"] for each in accessors if each["count"] > most), None)
    if large is not None:
        raise DataError(f"has an array of {large}, more than {most}; data.source.max_points allows more")
    check_count(_vertices(document, accessors), options, "vertices")
    if options.colors:
        _check_colors(document, accessors)


def _vertices(document: dict[str, Any], accessors: list[dict[str, Any]]) -> int:
    """Count the vertices of all nodes, as often as they show."""
    meshes = [
        sum(accessors[primitive["attributes"]["POSITION"]]["count"] for primitive in mesh["primitives"])
        for mesh in document.get("meshes", ())
    ]
    return sum(meshes[node["mesh"]] for node in document.get("nodes", ()) if "mesh" in node)


def _check_colors(document: dict[str, Any], accessors: list[dict[str, Any]]) -> None:
    primitives = [primitive for mesh in document.get("meshes", ()) for primitive in mesh["primitives"]]
    places = [primitive["attributes"].get("COLOR_0") for primitive in primitives]
    if any(place is not None and accessors[place]["componentType"] not in _COLORS for place in places):
        raise DataError("has colours of vertices in 16 bits; 8 bits and floats are read")
