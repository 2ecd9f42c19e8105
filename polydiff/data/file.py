"""What sources read: a file on the disk, in an archive or in the cell of a table."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from polydiff.data.cell import Cell
from polydiff.data.tar import Member
from polydiff.errors import DataError

File = Path | Member | Cell
"""To be opened, read and asked for its name, suffix and size; what is not a `Path` has no more to it."""


def identity(file: File) -> dict[str, Any]:
    """Say which file it is and of what time or content, as JSON has it; raise `DataError` when it is gone."""
    if isinstance(file, Cell):
        return {"name": file.name, "sha256": digest(file)}
    if isinstance(file, Member):
        return {"path": f"{file.archive}/{file.path}", "size": file.size, "modified": file.modified}
    try:
        stat = file.stat()
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror}") from error
    return {"path": os.path.abspath(file), "size": stat.st_size, "modified": stat.st_mtime_ns}  # noqa: PTH100 (quick)


def digest(file: File) -> str:
    """Give the hexadecimal SHA-256 of a file's content."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
