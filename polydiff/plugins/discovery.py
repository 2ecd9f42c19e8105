"""Which plugins are installed, and which of them the user blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from polydiff.plugins import builtin
from polydiff.plugins.distributions import entry_points, version
from polydiff.plugins.records import Plugin

GROUP = "polydiff"
"""The entry-point group of plugins."""

OFF_VARIABLE = "POLYDIFF_PLUGINS_OFF"
"""The environment variable that blocks plugins: their names, separated by commas."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that has not been imported yet.

    Attributes
    ----------
    load
        Imports it and gives the module, or whatever object carries the hooks; may raise anything.
    """

    plugin: Plugin
    load: Callable[[], object]


def engine() -> Candidate:
    """Give the engine's own names, registered as a plugin's are."""
    return Candidate(Plugin("polydiff", "polydiff", version("polydiff")), lambda: builtin)


def installed() -> Iterator[Candidate]:
    """Find the plugins of all installed distributions, in the order of their names."""
    for point in sorted(entry_points(GROUP), key=lambda point: (point.name, point.distribution.name)):
        yield Candidate(Plugin(point.name, point.distribution.name, point.distribution.version), point.load)


def blocked() -> tuple[str, ...]:
    """Read the names that the user blocks."""
    return tuple(filter(None, map(str.strip, os.environ.get(OFF_VARIABLE, "").split(","))))
