"""Files that are whole or not there, and JSON that anybody may have written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from polydiff.errors import PolydiffError

JSON_LIMIT = 1 << 24
"""Bytes of a file of JSON; ours have some thousand."""


def write(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write aside, fsync and rename, so that `path` holds all of `content` or what it held before.

    Parameters
    ----------
    sync
        Without, a machine that loses power may leave a file that is not whole: for what is checked when it is read.

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
            if sync:
                os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def check_place(path: Path) -> None:
    """Refuse a file whose folder cannot take it, before what goes into it is made.

    Raises
    ------
    PolydiffError
        When the folder is not there, or may not be written to.
    """
    folder = path.absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        code = errno.EACCES if folder.exists() else errno.ENOENT
        raise cannot_write(path, OSError(code, os.strerror(code)))


def cannot_write(path: Path, error: OSError) -> PolydiffError:
    """Make the user's message of an `OSError` met while writing `path`."""
    reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else error.strerror or str(error)
    return PolydiffError(f"cannot write {path}: {reason}")


def sha256(path: Path) -> str:
    """Give the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_inside(folder: Path, path: Path) -> bool:
    """Tell whether `path`, links resolved, lies in `folder`; what can be no path does not."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name with a zero byte, links that go round
        return False


def read_json(path: Path) -> Any:
    """Read a file of JSON.

    Raises
    ------
    ValueError
        As `parse_json` does, and when the file holds more than `JSON_LIMIT` bytes.
    OSError
        When it cannot be opened.
    """
    with path.open("rb") as file:
        content = file.read(JSON_LIMIT + 1)
    if len(content) > JSON_LIMIT:
        raise ValueError(f"it holds more than {JSON_LIMIT} bytes")
    return parse_json(content)


def parse_json(text: bytes | str) -> Any:
    """Parse JSON, in UTF-8.

    Raises
    ------
    ValueError
        In one line: it is none, is nested too deeply, or holds half a character (a lone surrogate), as no text can.
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a character (a lone surrogate)") from None
    return value
