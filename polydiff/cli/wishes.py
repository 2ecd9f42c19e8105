"""What samples are to be of, as options say it: `--label 3`, `--condition age=31`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polydiff.errors import UsageError


def read_wishes(label: Sequence[str], conditions: Sequence[str]) -> dict[str, list[str]]:
    """Give what is asked for of each condition.

    Raises
    ------
    UsageError
        When one of `conditions` is not NAME=VALUE.
    """
    wishes: dict[str, list[str]] = {"label": list(label)} if label else {}
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if not (name and equals):
            raise UsageError(f"--condition takes NAME=VALUE, not '{condition}'")
        wishes.setdefault(name, []).append(value)
    return wishes


def read_prompts(prompts: Sequence[str], file: str | None) -> list[str]:
    """Give the prompts of a command line and those of a file, a line each; empty lines are none.

    Raises
    ------
    UsageError
        When the file cannot be read, is not UTF-8, or has none.
    """
    if file is None:
        return list(prompts)
    try:
        lines = Path(file).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise UsageError(f"--prompts-file {file}: {reason}") from error
    read = [line.strip() for line in lines if line.strip()]
    if not read:
        raise UsageError(f"--prompts-file {file}: there is no prompt in it")
    return [*prompts, *read]
