"""Files that are whole or not there."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from polydiff.errors import PolydiffError


def write(path: Path, content: bytes) -> None:
    """Write aside, fsync and rename, so that `path` holds all of `content` or what it held before.

    Raises
    ------
    PolydiffError
        When the system refuses (disk full, no permission, ...); nothing is left behind.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> PolydiffError:
    """Make the user's message of an `OSError` met while writing `path`."""
    reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else error.strerror or str(error)
    return PolydiffError(f"cannot write {path}: {reason}")


def sha256(path: Path) -> str:
    """Give the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_inside(folder: Path, path: Path) -> bool:
    """Tell whether `path`, links resolved, lies in `folder`."""
    return path.resolve().is_relative_to(folder.resolve())
