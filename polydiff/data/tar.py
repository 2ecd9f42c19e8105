"""Files inside tar archives, read where they lie: nothing is ever unpacked to the disk."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from polydiff.errors import DataError, printable

HEADER_LIMIT = 1 << 14
"""Bytes of one header, with its long names and extensions. Honest ones have some hundred; in Python before 3.11.10 and
3.12.6, `tarfile` takes quadratic time for some.
"""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(place: str) -> bool:
    """Tell what fsspec opens from a path."""
    return _URL.match(place) is not None


def open_place(place: str) -> IO[bytes]:
    """Open a path, or a URL that fsspec knows; raise `DataError` when that fails."""
    try:
        if not is_url(place):
            return Path(place).open("rb")
        import fsspec  # noqa: PLC0415 (slow to import, and for URLs alone)

        file: IO[bytes] = fsspec.open(place, "rb").open()
    except OSError as error:
        raise DataError(f"{place}: cannot be opened: {error.strerror or error}") from error
    except Exception as error:  # there is no such protocol, it needs another package, or whatever its client raises
        raise DataError(f"{place}: cannot be opened: {' '.join(str(error).split())}") from error
    return file


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a tar archive, to be read as a `Path` is.

    Attributes
    ----------
    archive
        A path or a URL.
    path
        Its name in the archive: relative, and never leading out of it.
    offset, size
        Of its content, in bytes.
    modified
        When the archive was, in ns; 0 where that is not known.
    """

    archive: str
    path: PurePosixPath
    offset: int
    size: int
    modified: int = 0

    @property
    def name(self) -> str:
        """The last part of its name."""
        return self.path.name

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return self.path.suffix

    def stat(self) -> os.stat_result:
        """Give its size as `Path.stat` does."""
        seconds = self.modified // 10**9
        return os.stat_result((0o100444, 0, 0, 1, 0, 0, self.size, seconds, seconds, seconds))

    def open(self, mode: Literal["rb"]) -> io.BufferedReader:
        """Open it to read from any place; raise `DataError` when the archive cannot be opened."""
        return io.BufferedReader(_Window(open_place(self.archive), self.offset, self.size))

    def read_bytes(self) -> bytes:
        """Give its content."""
        with self.open("rb") as file:
            return file.read()


def members(place: str, fault: Callable[[str], None]) -> Iterator[tuple[Member, Callable[[], bytes]]]:
    """Go through an archive once, from its beginning to its end.

    Parameters
    ----------
    fault
        Told, in one line, of each member that is left out: links, devices, sparse files, names that lead out of the
        archive; and of what is wrong with the archive itself, when what came before can be read.

    Yields
    ------
    Each regular file, and what reads all of it now, before the next.

    Raises
    ------
    DataError
        When it cannot be opened or is no tar archive.
    """
    label = PurePosixPath(place).name
    with open_place(place) as file:
        size = file.seek(0, os.SEEK_END)
        modified = 0 if is_url(place) else os.fstat(file.fileno()).st_mtime_ns
        headers = _Headers(file)
        archive = _opened(place, file, headers)
        last = -1
        while True:
            headers.left = HEADER_LIMIT
            try:
                found = archive.next()
                if found is not None and (found.size < 0 or found.offset <= last):
                    raise ValueError("a member has a negative size")
            except (tarfile.TarError, *_DAMAGE) as error:
                fault(f"{label}: is damaged or truncated at byte {file.tell()}: {error}")
                return
            archive.members = []  # type: ignore[attr-defined]  # else it keeps all that it has met
            if found is None:
                break
            last = found.offset
            name = printable(os.fsencode(found.name).decode("utf-8", "backslashreplace"))
            reason = _refused(found, size)
            if reason is not None:
                fault(f"{label}/{name}: {reason}")
            elif found.isreg():
                yield Member(place, PurePosixPath(name), found.offset_data, found.size, modified), _reading(file, found)
        end = _at(file, archive.offset, tarfile.BLOCKSIZE)  # where `tarfile` found no header
        if end.strip(b"\0") or not end:
            fault(f"{label}: is damaged or truncated at byte {archive.offset}: its end is missing")


_DAMAGE = OSError, EOFError, ValueError, OverflowError, UnicodeError, LookupError, RecursionError
"""What `tarfile` raises besides its own errors for headers that it cannot make sense of."""


def _opened(place: str, file: IO[bytes], headers: _Headers) -> tarfile.TarFile:
    if _at(file, 0, 2) == b"\x1f\x8b":
        raise DataError(f"{place}: is compressed; items are read from any place in it, so unpack it: gunzip")
    file.seek(0)
    try:
        return tarfile.TarFile(fileobj=headers, mode="r")  # type: ignore[arg-type]  # it reads and seeks
    except (tarfile.TarError, *_DAMAGE) as error:
        raise DataError(f"{place}: is no tar archive, or damaged: {error}") from error


def _reading(file: IO[bytes], found: tarfile.TarInfo) -> Callable[[], bytes]:
    return lambda: _at(file, found.offset_data, found.size)


def _at(file: IO[bytes], offset: int, count: int) -> bytes:
    here = file.tell()
    file.seek(offset)
    content = file.read(count)
    file.seek(here)
    return content


def _refused(found: tarfile.TarInfo, size: int) -> str | None:
    """Say why a member is left out."""
    path, end = PurePosixPath(found.name), found.offset_data + found.size
    if found.isdir():
        return None
    reasons = {
        "is a link, which is not followed": found.issym() or found.islnk(),
        "is no regular file": not found.isreg(),
        "is a sparse file, which is not read": found.issparse(),
        "has a name that leads out of the archive": path.is_absolute() or ".." in path.parts or "\\" in found.name,
        f"is truncated: {end - size} of its {found.size} bytes are missing": end > size,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


class _Headers:
    """What `tarfile` reads headers from: no more than `left` bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.left = HEADER_LIMIT
        self.name = ""
        self.tell = file.tell
        self.seek = file.seek

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.left:
            raise ValueError(f"a header has more than {HEADER_LIMIT} bytes")
        self.left -= size
        return self.file.read(size)


class _Window(io.RawIOBase):
    """A part of a file as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self.file, self.start, self.size = file, start, size
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.place = max(0, (0, self.place, self.size)[whence] + offset)
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self.size - self.place))
        self.file.seek(self.start + self.place)
        content = self.file.read(count)
        buffer[: len(content)] = content
        self.place += len(content)
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self.file.close()
        super().close()
