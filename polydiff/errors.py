"""Everything that can go wrong through no fault of the program, each kind with its exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 12
"""How many choices a message lists."""


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
    return f"unknown {kind} '{name}'; {nearest(name, choices)}"
