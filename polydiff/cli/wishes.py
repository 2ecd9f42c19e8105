"""What samples are to be of, as options say it: `--label 3`, `--condition age=31`."""

from __future__ import annotations

from collections.abc import Sequence

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
