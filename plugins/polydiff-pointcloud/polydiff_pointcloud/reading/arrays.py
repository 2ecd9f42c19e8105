"""Points as NumPy arrays (`.npy`, `.npz`), never unpickled."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_pointcloud.reading.archive import open_archive
from polydiff_pointcloud.reading.limits import check_count
from polydiff_pointcloud.reading.options import Options
from polydiff_pointcloud.reading.picking import choose, pick_records
from polydiff_pointcloud.reading.raw import Numbers, Raw

_DAMAGE = ValueError, TypeError, KeyError, SyntaxError, TokenError, RecursionError, MemoryError
"""What NumPy raises for headers that it cannot make sense of."""


@dataclass(frozen=True, slots=True)
class _Array:
    """A header that has been checked: (count, 3) numbers."""

    count: int
    by_columns: bool
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        return 3 * self.count * self.dtype.itemsize


def check_npy(path: File, options: Options) -> None:
    """Look at the header."""
    with path.open("rb") as file:
        array = _header(file, options)
        missing = array.bytes - (path.stat().st_size - file.tell())
    if missing > 0:
        raise DataError(f"is truncated: {missing} of the {array.bytes} bytes of its array are missing")


def read_npy(path: File, options: Options, rng: np.random.Generator) -> Raw:
    """Read the points that are kept."""
    with path.open("rb") as file:
        array = _header(file, options)
        return Raw(_picked(file, array, choose(array.count, options.points, rng)))


def check_npz(path: File, options: Options) -> None:
    """Look at the headers of the arrays that are asked for."""
    with open_archive(path) as archive:
        counts = {name: _member(archive, member, options)[1].count for name, member in _members(archive, options)}
    if len(set(counts.values())) > 1:
        raise DataError(f"has {', '.join(f'{count} {name}' for name, count in counts.items())}; as many are needed")


def read_npz(path: File, options: Options, rng: np.random.Generator) -> Raw:
    """Read the points that are kept; no more than a block of them is in memory."""
    check_npz(path, options)
    parts: dict[str, Numbers] = {}
    with open_archive(path) as archive:
        chosen = None
        for name, member in _members(archive, options):
            file, array = _member(archive, member, options)
            with file:
                chosen = choose(array.count, options.points, rng) if chosen is None else chosen
                parts[name] = _picked(file, array, chosen)
    return Raw(**parts)


def _members(archive: zipfile.ZipFile, options: Options) -> list[tuple[str, str]]:
    """Give what is asked for and the names of the members that hold it: a single array needs no name."""
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    if names and "points" not in names and len(names) == 1:
        found = [("points", f"{names[0]}.npy")]
    else:
        found = [(name, f"{name}.npy") for name in ("points", "normals", "colors") if name in names]
    if "points" not in dict(found):
        raise DataError(f"has no array 'points'; it has {', '.join(names) or 'none'}")
    asked = {"points", *(["normals"] if options.normals else []), *(["colors"] if options.colors else [])}
    return [(name, member) for name, member in found if name in asked]


def _member(archive: zipfile.ZipFile, name: str, options: Options) -> tuple[IO[bytes], _Array]:
    """Open a member after its header; raise `DataError` when the directory says that it holds less than that says."""
    file = archive.open(name)
    array = _header(file, options)
    if array.bytes > archive.getinfo(name).file_size - file.tell():
        raise DataError(f"is damaged: {name} is shorter than its array")
    return file, array


def _header(file: IO[bytes], options: Options) -> _Array:
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, dtype = read(file)
    except _DAMAGE as error:
        raise DataError("is no NumPy array, or damaged") from error
    if dtype.kind not in "fiu":
        raise DataError(f"holds values of the type '{dtype}'; numbers are read")
    if len(shape) != 2 or shape[1] != 3:
        raise DataError(f"has the shape ({', '.join(map(str, shape))}); (N, 3) is needed")
    check_count(shape[0], options)
    return _Array(shape[0], by_columns, dtype)


def _picked(file: IO[bytes], array: _Array, chosen: NDArray[np.int64]) -> Numbers:
    if array.by_columns:
        return np.stack([pick_records(file, array.dtype, array.count, chosen) for _ in range(3)], axis=1)
    rows = pick_records(file, np.dtype((np.void, 3 * array.dtype.itemsize)), array.count, chosen)
    return rows.view(array.dtype).reshape(-1, 3)
