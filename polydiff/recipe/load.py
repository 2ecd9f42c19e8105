"""Reading recipes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import to_json

from polydiff.errors import RecipeError
from polydiff.recipe.component import Component
from polydiff.recipe.origin import KeyPath, Locations, Origin
from polydiff.recipe.overrides import apply
from polydiff.recipe.problems import first_problem, shown
from polydiff.recipe.schema import AnyRecipe, CodecRecipe, Config, PairRecipe, Recipe
from polydiff.recipe.shape import map_components, slot
from polydiff.recipe.yaml import Data, parse

C = TypeVar("C", bound=Config)

LIMIT = 1 << 22
"""Bytes of a recipe or a model.yaml; long ones have some hundred thousand, the names of classes."""


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> AnyRecipe:
    """Read a recipe file and check everything but what the components themselves must judge (see `resolve`).

    A recipe with an `autoencoder` is that of a codec, one with `contrastive` that of a pair.

    Parameters
    ----------
    path
        A YAML file.
    overrides
        "train.steps=5000", ...: applied in turn before anything is checked.

    Raises
    ------
    RecipeError
        With the file, line and key of the first problem.
    UsageError
        When an override is not of the form KEY=VALUE.
    """
    data, locations = read(Path(path))
    schema = _schema(data)
    return check(schema, data, apply(data, locations, overrides, schema))


def _schema(data: Mapping[str, Data]) -> type[AnyRecipe]:
    if "contrastive" in data:
        return PairRecipe
    return CodecRecipe if "autoencoder" in data else Recipe


def read(path: Path) -> tuple[dict[str, Data], Locations]:
    """Read a YAML file that holds a mapping, without looking into it.

    Returns
    -------
    data, locations
        As `check` takes them.

    Raises
    ------
    RecipeError
        When there is no such file, or something else in it; with the line of a syntax error.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not a text in UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise RecipeError(f"{path}: {_reason(error)}") from error
    if len(content) > LIMIT:
        raise RecipeError(f"{path}: holds more than {LIMIT} bytes, too many for a recipe")
    data, locations = parse(text, lambda line: f"{path}:{line}")
    if data is None:
        raise RecipeError(f"{path}: the recipe is empty")
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys, not {shown(data)}")
    return data, {(): str(path), **locations}


def _reason(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such recipe"
        case IsADirectoryError():
            return "is a folder, not a recipe"
    return f"cannot be read: {error.strerror}"


def check(schema: type[C], data: dict[str, Data], locations: Locations) -> C:
    """Check plain data against a schema; the components learn where they stand.

    Plain data are JSON's, and so are the rules: nothing is converted but lists to tuples.

    Raises
    ------
    RecipeError
        For the first problem, with its place.
    """
    root = Origin(locations)

    def keys(path: KeyPath) -> Iterable[str]:
        section = slot(schema).below(path)
        return section.known_keys() if section else ()

    try:
        config = schema.model_validate_json(to_json(data, inf_nan_mode="constants"))
    except ValidationError as error:
        raise first_problem(error, data, keys, lambda path, what: root.at(*path).error(what)) from error

    def place(component: Component, path: KeyPath) -> Component:
        return dataclasses.replace(component, origin=root.at(*path))

    return map_components(config, place)
