"""Files in the cells of a table, read where they lie."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datasets import Dataset

BYTES = "bytes"
"""The field that holds the content, of a cell that has fields: beside it stands "path", the name of the file."""


class Column:
    """The column of a table whose cells hold files.

    Parameters
    ----------
    table
        An Arrow table, mapped from the disk.
    name
        Of the column: its cells are binary, or have a binary field "bytes".
    """

    def __init__(self, table: Dataset, name: str) -> None:
        self._cells = table.select_columns([name]).with_format("arrow")

    def __getitem__(self, row: int) -> memoryview:
        """Give the content of a cell, without reading or copying it."""
        cell: Any = self._cells[row].column(0)[0]
        return memoryview((cell if hasattr(cell, "as_buffer") else cell[BYTES]).as_buffer()).cast("B")


@dataclass(frozen=True, slots=True)
class Cell:
    """A file in a cell of a table, to be read as a `Path` is.

    Attributes
    ----------
    path
        Its name, as far as it is known: empty, or else of one part.
    size
        Of its content, in bytes.
    """

    column: Column
    row: int
    path: PurePosixPath
    size: int

    @property
    def name(self) -> str:
        """Its name."""
        return self.path.name

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return self.path.suffix

    def stat(self) -> os.stat_result:
        """Give its size as `Path.stat` does."""
        return os.stat_result((0o100444, 0, 0, 1, 0, 0, self.size, 0, 0, 0))

    def open(self, mode: Literal["rb"]) -> io.BufferedReader:
        """Open it to read from any place."""
        return io.BufferedReader(_View(self.column[self.row]))

    def read_bytes(self) -> bytes:
        """Give its content."""
        return bytes(self.column[self.row])


class _View(io.RawIOBase):
    """Bytes in memory, not copied, as a file."""

    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.place = max(0, (0, self.place, len(self.content))[whence] + offset)
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        part = self.content[self.place : self.place + len(buffer)]
        buffer[: len(part)] = part
        self.place += len(part)
        return len(part)
