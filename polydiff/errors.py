"""Everything that can go wrong through no fault of the program, each kind with its exit code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

SHOWN = 12
"""How many choices a message lists."""

LONGEST_NAME = 80
"""Characters of a name that a message shows."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor, breaks or turns a line, and halves of characters."""


class PolydiffError(Exception):
    """The user, their files or their machine are at fault; the message says what, where and the nearest valid
    choice.
    """

    exit_code = 1


class UsageError(PolydiffError):
    """A command or a call was given something it cannot take."""

    exit_code = 2


class RecipeError(PolydiffError):
    """A recipe is not one that can be run."""

    exit_code = 3


class DataError(PolydiffError):
    """Training data are missing, unreadable or not what the recipe says."""

    exit_code = 3


class PluginError(PolydiffError):
    """A plugin is missing, broken or in conflict with another."""

    exit_code = 4


class ModelError(PolydiffError):
    """A model folder or a checkpoint is refused."""

    exit_code = 5


def nearest(name: str, choices: Iterable[str]) -> str:
    """Point to the nearest of `choices`, or list them when none is near.

    What has the name as one of its words ("mesh-stl" of "stl") is nearest; a number is no misspelling of another.
    """
    choices = sorted(choices)
    near = [choice for choice in choices if name in choice.split("-")]
    near = near or ([] if name.isdecimal() else difflib.get_close_matches(name, choices, n=1))
    if near:
        return f"did you mean '{near[0]}'?"
    more = f" and {len(choices) - SHOWN} more" if len(choices) > SHOWN else ""
    return f"there is {', '.join(choices[:SHOWN]) or 'none'}{more}"


def unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    """Say that `name` is no `kind`, and what is."""
    return f"unknown {kind} '{short(name)}'; {nearest(name, choices)}"


def short(name: str) -> str:
    """Write a name that anybody may have chosen so that a message stays a line."""
    name = printable(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def printable(text: str) -> str:
    r"""Escape what a terminal would not show as itself: a line break becomes `\n`."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
