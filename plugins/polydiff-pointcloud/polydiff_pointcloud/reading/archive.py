"""ZIP archives, before anything in them is unpacked."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_pointcloud.reading.limits import check_bytes
from polydiff_pointcloud.reading.options import Options

_RATIO = 200
"""By which a file of a mesh is packed at most; text of repeated numbers comes to some 50."""

_SMALL = 1 << 20
"""Bytes; what is smaller harms nobody."""

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


@contextmanager
def open_archive(path: File) -> Iterator[zipfile.ZipFile]:
    """Open an archive; a member gives no more bytes than the archive's directory says.

    Raises
    ------
    DataError
        When it is none, when members are encrypted or packed in an unusual way, or when one that is read is damaged.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.flag_bits & 1 or member.compress_type not in _METHODS:
                    raise DataError(f"is encrypted or packed in an unusual way: {member.filename}")
            yield archive
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise DataError("is no ZIP archive, or damaged or truncated") from error


def stored(path: File, suffix: str) -> io.BytesIO:
    """Unpack the members that end in `suffix` into an archive that is not packed, block by block: unlike `read()`, that
    gives no more bytes than the directory says even where it lies.
    """
    content = io.BytesIO()
    with open_archive(path) as archive, zipfile.ZipFile(content, "w") as copy:
        for name in archive.namelist():
            if name.lower().endswith(suffix):
                with archive.open(name) as member, copy.open(name, "w") as target:
                    shutil.copyfileobj(member, target)
    content.seek(0)
    return content


def check_expansion(archive: zipfile.ZipFile, options: Options) -> None:
    """Raise `DataError` when an archive would unpack to much more than it seems, or than a mesh takes."""
    for member in archive.infolist():
        if member.file_size > max(_SMALL, _RATIO * member.compress_size):
            times = member.file_size // max(1, member.compress_size)
            raise DataError(f"is refused: {member.filename} would expand {times}-fold, to {member.file_size} bytes")
    check_bytes(sum(member.file_size for member in archive.infolist()), options)
