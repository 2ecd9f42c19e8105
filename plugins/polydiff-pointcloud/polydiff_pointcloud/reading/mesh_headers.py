"""What mesh files other than PLY and glTF show before they are read as a whole."""

from __future__ import annotations

import struct

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_pointcloud.reading.archive import check_expansion, open_archive
from polydiff_pointcloud.reading.limits import check_bytes, check_count
from polydiff_pointcloud.reading.options import Options

_STL_HEADER, _STL_TRIANGLE = 84, 50
"""Bytes of a binary STL."""


def check_obj(path: File, options: Options) -> None:
    """See that there is text, and not too much."""
    if b"\0" in _start(path, options):
        raise DataError("is no OBJ file: it is no text")


def check_off(path: File, options: Options) -> None:
    """See that the numbers of vertices and faces are there, and within reach."""
    check_count(off_counts(_start(path, options))[0], options, "vertices")


def off_counts(content: bytes) -> tuple[int, int]:
    """Give the numbers of vertices and faces that an OFF file, or its beginning, says it has."""
    text = b" ".join(line.partition(b"#")[0] for line in content.splitlines())
    mark, _, rest = text.partition(b"OFF")
    if mark.strip() not in {b"", b"C"} or rest == b"":
        raise DataError("is no OFF file, or of a kind that is not read")
    try:
        vertices, faces = (int(word) for word in rest.split(None, 2)[:2])
    except ValueError as error:
        raise DataError("is damaged or truncated: it does not say how many vertices and faces it has") from error
    return vertices, faces


def check_stl(path: File, options: Options) -> None:
    """See that a binary file is whole and that one of text has an end."""
    start, size = _start(path, options), path.stat().st_size
    triangles = struct.unpack("<I", start[80:84])[0] if len(start) >= _STL_HEADER else 0
    needed = _STL_HEADER + _STL_TRIANGLE * triangles
    if len(start) >= _STL_HEADER and size == needed:
        return check_count(3 * triangles, options, "vertices")
    if not start.lstrip().lower().startswith(b"solid"):
        if len(start) < _STL_HEADER or size > needed:
            raise DataError("is no STL file")
        raise DataError(f"is truncated: {needed - size} of its {needed} bytes are missing")
    with path.open("rb") as file:
        file.seek(max(0, size - 4096))
        if b"endsolid" not in file.read().lower():
            raise DataError("is truncated, or no STL file: its text has no end")
    return None


def check_3mf(path: File, options: Options) -> None:
    """See what the archive would unpack to."""
    with open_archive(path) as archive:
        check_expansion(archive, options)
        if not any(name.lower().endswith("3d/3dmodel.model") for name in archive.namelist()):
            raise DataError("is no 3MF file: it has no 3D/3dmodel.model")


def _start(path: File, options: Options) -> bytes:
    """Read the beginning of a file that is neither empty nor too large."""
    check_bytes(path.stat().st_size, options)
    with path.open("rb") as file:
        start = file.read(4096)
    if not start:
        raise DataError("is empty")
    return start
