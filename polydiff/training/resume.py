"""What a stopped run goes on with, and what has changed in it since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polydiff.errors import UsageError
from polydiff.recipe.build import resolve
from polydiff.recipe.load import load_recipe
from polydiff.recipe.schema import AnyRecipe
from polydiff.training import checkpoint
from polydiff.training.checkpoint import DamagedError

HARMLESS = (
    "sample",
    "data.cache",
    "data.workers",
    "distill.teacher",
    "train.steps",
    "train.max_minutes",
    "train.max_bad_steps",
    "train.accumulate",
    "train.compile",
    "train.validation.every",
    "train.preview",
    "train.checkpoint",
    "train.loggers",
)
"""What may change without making it another run: how long, how fast, where the teacher of the same weights lies, and
what is looked at and written down.
"""

ABSENT = "absent"

WIDTH = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Change:
    """A key that stands otherwise in two recipes.

    Attributes
    ----------
    key
        With its sections and dots.
    old, new
        The values as JSON, or "absent".
    """

    key: str
    old: str
    new: str

    @property
    def harmless(self) -> bool:
        """Whether the run remains the same run."""
        return any(self.key == key or self.key.startswith(f"{key}.") for key in HARMLESS)

    def __str__(self) -> str:
        return f"{self.key}: {_cut(self.old)} -> {_cut(self.new)}"


def resumed_recipe(folder: Path, overrides: Sequence[str]) -> AnyRecipe:
    """Read the recipe of a run, as changed for another sitting.

    Raises
    ------
    UsageError
        When the folder holds no run.
    RecipeError
        When an override is none that can be made.
    """
    path = folder / "recipe.yaml"
    if not path.is_file() and (folder / "model.yaml").is_file():
        raise UsageError(f"{folder} is a model, without the checkpoints that a run goes on from; resume its run folder")
    if not path.is_file():
        raise UsageError(f"{folder} is no run folder: there is no {path.name} in it")
    return load_recipe(path, overrides)


def check_changes(folder: Path, recipe: AnyRecipe, *, accept: bool) -> list[Change]:
    """Compare a resolved recipe with the one that the run was last made by, which its checkpoints hold.

    Returns
    -------
    list of Change
        Those that make it another run; none but where they are to be accepted.

    Raises
    ------
    UsageError
        When there are some and they are not to be accepted.
    """
    before = resolve(load_recipe(_last_recipe(folder)))  # by an earlier version, which had fewer options
    found = [change for change in differences(before, recipe) if not change.harmless]
    if found and not accept:
        lines = "\n".join(f"  {change}" for change in found)
        raise UsageError(
            "a resumed run keeps its recipe, and these changes make it another run "
            f"(--accept-changes goes on with them):\n{lines}"
        )
    return found


def _last_recipe(folder: Path) -> Path:
    checkpoints = folder / "checkpoints"
    for step in reversed(checkpoint.steps(checkpoints)):
        try:
            return checkpoint.recipe_of(checkpoint.path_of(checkpoints, step))
        except DamagedError:
            continue
    return folder / "recipe.yaml"


def differences(before: AnyRecipe, now: AnyRecipe) -> list[Change]:
    """List the keys that stand otherwise in two recipes, in the order of the first."""
    old, new = (dict(_leaves(recipe.model_dump(), "")) for recipe in (before, now))
    changes = (Change(key, old.get(key, ABSENT), new.get(key, ABSENT)) for key in old | new)
    return [change for change in changes if change.old != change.new]


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Give everything that is not itself a mapping or a list of mappings, by its dotted key, as JSON."""
    if isinstance(value, Mapping) and value:
        children: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        children = iter(enumerate(value))
    else:
        yield key, json.dumps(value)
        return
    for name, child in children:
        yield from _leaves(child, f"{key}.{name}" if key else str(name))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
