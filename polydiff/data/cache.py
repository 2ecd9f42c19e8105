"""Arrays kept on disk, each set of them in a file that is named after what it was made of."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from polydiff.errors import DataError
from polydiff.files import cannot_write, write

Arrays = Mapping[str, NDArray[Any]]

CHECKED = 1 << 20
"""Bytes of a file up to which all of it is read and checked each time; of larger ones only what is used is read, and
they are synced to the disk when they are written.
"""

_FORMAT = 3
"""Counts up when what is made under a key changes."""

_CRC = "crc32"

_TYPES = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U8": "u1"}
"""Of safetensors, as NumPy has them."""


class Cache:
    """A folder of arrays.

    Files are whole or not there, so any number of processes can share it, and it can be emptied at any time. What was
    made of older files or with other options stays until then: nothing but the disk limits what is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def arrays(self, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """Give what is kept under a key, or else make and keep it.

        Parameters
        ----------
        key
            All that the arrays depend on, as JSON has it.
        make
            What it raises goes through, and nothing is kept.

        Returns
        -------
        The arrays by name. What is kept of more than `CHECKED` bytes is read from the disk where it is used; changes to
        it are not kept.

        Raises
        ------
        PolydiffError
            When the disk is full or the folder cannot be written to.
        """
        path = self._path(key)
        try:
            return _load(path)
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged
            made = make()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        content = save({name: np.asarray(array, order="C") for name, array in made.items()}, {_CRC: _crc(made)})
        write(path, content, sync=len(content) > CHECKED)
        return made

    def check_room(self, size: int) -> None:
        """Raise `DataError` when so many bytes in all find no room, with what is kept already, or a file is there."""
        there = next(each for each in (self.folder, *self.folder.parents) if each.exists())
        if not there.is_dir():
            raise DataError(f"{self.folder}: {there} is no folder to keep anything in; data.cache names one")
        room = shutil.disk_usage(there).free
        if size > room:
            room += sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
        if size > room:
            sizes = f"{size / 1e9:.3g} GB are to be kept, and there is room for {room / 1e9:.3g}"
            raise DataError(f"{self.folder}: {sizes}")

    def _path(self, key: Mapping[str, Any]) -> Path:
        text = json.dumps({**key, "format": _FORMAT}, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"


def _load(path: Path) -> Arrays:
    """Read or map a file of safetensors; raise `ValueError`, `KeyError` or `TypeError` unless it is whole."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (a third of the time)
        size = os.fstat(file.fileno()).st_size
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if size > CHECKED else bytearray(file.readall())
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    noted = header.pop("__metadata__")
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        shape, kind = entry["shape"], np.dtype(_TYPES[entry["dtype"]])
        if not 0 <= begin <= end <= size - start:
            raise ValueError(f"{path} is truncated")
        arrays[name] = np.frombuffer(content, kind, (end - begin) // kind.itemsize, start + begin).reshape(shape)
    if size <= CHECKED and _crc(arrays) != noted[_CRC]:
        raise ValueError(f"{path} is damaged")
    return arrays


def _crc(arrays: Arrays) -> str:
    total = 0
    for name in sorted(arrays):
        total = zlib.crc32(np.ascontiguousarray(arrays[name]).data, total)
    return str(total)
