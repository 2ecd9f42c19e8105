"""Installed distributions and their entry points, read from disk.

`importlib.metadata` does this and more, but its import alone would be a quarter of what `polydiff --help` takes.
The layout is that of https://packaging.python.org/en/latest/specifications/recording-installed-packages/ and
https://packaging.python.org/en/latest/specifications/entry-points/.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed package.

    Attributes
    ----------
    name
        Normalised: lower case, words joined by hyphens.
    folder
        Its `.dist-info` or `.egg-info`.
    """

    name: str
    version: str
    folder: Path


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A name that a distribution gives to one of its modules or objects.

    Attributes
    ----------
    value
        "package.module" or "package.module:object".
    """

    name: str
    value: str
    distribution: Distribution

    def load(self) -> Any:
        """Import the module or object."""
        module, _, path = self.value.partition(":")
        return functools.reduce(getattr, filter(None, path.split(".")), importlib.import_module(module))


def distributions() -> Iterator[Distribution]:
    """Find what is installed along `sys.path`; the first of two distributions with one name counts."""
    seen = set()
    for folder in map(Path, sys.path):
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.suffix in {".dist-info", ".egg-info"}:
                name, _, version = entry.stem.partition("-")
                name = "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))
                if name not in seen:
                    seen.add(name)
                    yield Distribution(name, version, entry)


def version(name: str) -> str:
    """Give the version of an installed distribution; empty for one that is run without being installed."""
    return next((found.version for found in distributions() if found.name == name), "")


def entry_points(group: str) -> Iterator[EntryPoint]:
    """Find the entry points of a group."""
    for distribution in distributions():
        for name, value in _section(distribution.folder / "entry_points.txt", group):
            yield EntryPoint(name, value, distribution)


def _section(file: Path, group: str) -> Iterator[tuple[str, str]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    section = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == group and line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield name.strip(), "".join(value.partition("[")[0].split())
