"""Overrides: `train.steps=5000` on a command line, read as the recipe itself is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polydiff.errors import LONGEST_NAME, UsageError, short
from polydiff.recipe.component import Component
from polydiff.recipe.origin import KeyPath, Locations, Origin
from polydiff.recipe.problems import shown
from polydiff.recipe.schema import Config
from polydiff.recipe.shape import Slot, slot
from polydiff.recipe.yaml import Data, parse


def apply(data: dict[str, Data], locations: Locations, overrides: Sequence[str], schema: type[Config]) -> Locations:
    """Set values of `data` by their dotted keys, one after the other.

    A list's items go by their position, from 0. Another name for a component drops the options of the old one; an
    option of a component that the data leave out goes to the one that the schema has by default.

    Parameters
    ----------
    data, locations
        As `yaml.parse` gives them; `data` is changed in place.
    overrides
        Each "KEY=VALUE".
    schema
        What `data` is to be checked against.

    Returns
    -------
    Locations
        Of the changed data.

    Raises
    ------
    UsageError
        When an override is not of the form KEY=VALUE.
    RecipeError
        When its value is not YAML, or its key leads into something that has no keys.
    """
    for override in overrides:
        keys, value = _read(override)
        path, created = _set(data, keys, value, slot(schema), override)
        locations = {p: place for p, place in locations.items() if p[: len(path)] != path}
        locations |= {path[:n]: _said(override) for n in range(created, len(path) + 1)}
    return locations


def _said(override: str) -> str:
    cut = override if len(override) <= LONGEST_NAME else f"{override[: LONGEST_NAME - 3]}..."
    return f"override {cut!r}"


def _read(override: str) -> tuple[list[str], Data]:
    key, equals, text = override.partition("=")
    keys = key.split(".")
    if not equals or "" in keys:
        raise UsageError(f"{_said(override)}: write KEY=VALUE, for example train.steps=5000")
    value, _ = parse(text, lambda _: _said(override))
    return keys, value


def _set(data: Any, keys: list[str], value: Data, place: Slot | None, override: str) -> tuple[KeyPath, int]:
    """Set the value; give its path and the length of the shortest part of the path that was not there before."""
    path: KeyPath = ()
    created = len(keys)
    for word in keys[:-1]:
        key = _key(data, word, path, override)
        path = (*path, key)
        place = place and place.at(key)
        if isinstance(data, dict) and data.get(word) is None:
            created = min(created, len(path))
        data = _inside(data, key, place, Origin({(): _said(override)}, path))
    last = _key(data, keys[-1], path, override)
    if place and place.is_component and last == "name" and value != data.get("name"):
        for option in data.keys() - place.type.own_keys():
            del data[option]
    data[last] = value
    return (*path, last), created


def _key(data: dict[str, Data] | list[Data], word: str, path: KeyPath, override: str) -> str | int:
    """Read one part of a dotted key, a position where `data` is a list."""
    if isinstance(data, dict):
        return word
    if not (word.isdecimal() and int(word) < len(data)):
        message = f"no item '{short(word)}' in a list of {len(data)}; the first is 0"
        raise Origin({(): _said(override)}, path).error(message)
    return int(word)


def _inside(data: Any, key: str | int, place: Slot | None, origin: Origin) -> Any:
    """Give `data[key]`, made a mapping if it is left out or the bare name of a component."""
    present = data.get(key) if isinstance(data, dict) else data[key]
    if present is None:
        default = place and place.default
        data[key] = {"name": default.name} if isinstance(default, Component) else {}
    elif isinstance(present, str) and place and place.is_component:
        data[key] = {"name": present}
    elif not isinstance(present, dict | list):
        raise origin.error(f"is {shown(present)}, which has no keys")
    return data[key]
