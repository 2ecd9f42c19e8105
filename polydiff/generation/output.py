"""The folder that is generated into: what is in it and what may be replaced."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from polydiff import files
from polydiff.errors import UsageError

RECORDS, SHEET = "samples.jsonl", "sheet.png"


def stem(index: int) -> str:
    """Name a sample's files, without their endings."""
    return f"{index:05d}"


def write(path: Path, content: bytes) -> None:
    """Write a file, whole, and the folder that it is in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(path.parent, error) from error
    files.write(path, content)


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files by name, or none of them when one cannot be written."""
    written: list[Path] = []
    try:
        for name, content in contents.items():
            write(folder / name, content)
            written.append(folder / name)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


class Output:
    """A folder of samples. It may hold those of earlier generations, to which `samples.jsonl` bears witness.

    Raises
    ------
    PolydiffError
        When the folder may not be written to.
    UsageError
        When it is a file, or in one; when it holds other files and no samples; when a sample of `indices` is there
        already: without `overwrite`, or with it when a file is not one that a generation wrote.
    """

    def __init__(self, folder: Path, indices: range, *, overwrite: bool) -> None:
        self.folder = folder
        _check_writable(folder)
        self.told: list[Mapping[str, Any]] = []
        self.earlier = list(_read(folder / RECORDS))
        if not self.earlier and folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise UsageError(f"{folder} holds other files and no samples: choose another --out")
        theirs = {name for record in self.earlier for name in _names(record)}
        self.stale = [name for name in _names_in(folder) if _index(name) in indices]
        foreign = [name for name in self.stale if name not in theirs]
        if foreign:
            raise UsageError(f"{folder / foreign[0]} was not written by a generation: choose another --out")
        if self.stale and not overwrite:
            raise UsageError(
                f"{folder / self.stale[0]} exists: choose another --out, extend the set with --first "
                f"{1 + max(record['index'] for record in self.earlier)}, or --overwrite it"
            )

    def add(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Tell what has just been written, at once; what cannot be told of is removed again."""
        if not records:
            return
        self.told += records  # before they are written: what an interrupt cuts short, `close` completes
        path = self.folder / RECORDS
        size = path.stat().st_size if path.exists() else 0
        try:
            with path.open("ab") as file:
                file.write(_lines(records))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                os.truncate(path, size) if size else path.unlink()
            for name in {name for record in records for name in _names(record)}.difference(self.stale):
                (self.folder / name).unlink(missing_ok=True)
            del self.told[-len(records) :]
            raise files.cannot_write(path, error) from error

    def close(self) -> None:
        """Put the lines in order, and remove what was replaced."""
        if not self.told:
            return
        by_index = {record["index"]: record for record in self.earlier}
        fresh = {record["index"]: record for record in self.told}
        write(self.folder / RECORDS, _lines([record for _, record in sorted({**by_index, **fresh}.items())]))
        kept = {name for record in fresh.values() for name in _names(record)}
        for name in self.stale:
            if name not in kept and _index(name) in fresh:
                (self.folder / name).unlink(missing_ok=True)


def _check_writable(folder: Path) -> None:
    """Refuse what could not be written to, before anything is computed."""
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"{there} is a file: choose another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise files.cannot_write(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records).encode()


def _read(file: Path) -> Iterator[dict[str, Any]]:
    if not file.exists():
        return
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            record: dict[str, Any] = files.parse_json(line)
            sound = isinstance(record["index"], int) and all(isinstance(name, str) for name in _names(record))
        except (ValueError, TypeError, KeyError):
            sound = False
        if not sound:
            raise UsageError(f"{file}:{number} is not a line that a generation wrote: choose another --out")
        yield record


def _names(record: Mapping[str, Any]) -> list[str]:
    return [record["file"], *record.get("trajectory", ())]


def _names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _index(name: str) -> int | None:
    """Tell which sample a file name is of."""
    digits = re.match(r"\d{5,}(?=[.-])", name)
    return int(digits[0]) if digits else None
