"""What a stopped run goes on with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polydiff.errors import UsageError
from polydiff.recipe.load import load_recipe
from polydiff.recipe.schema import Recipe

CHANGEABLE = ("steps", "max_minutes", "accumulate", "preview", "checkpoint", "loggers")
"""The parts of `train` that another sitting may change: how long, and what is written down."""


def resumed_recipe(folder: Path, overrides: Sequence[str]) -> Recipe:
    """Read the recipe of a run, as changed for another sitting.

    Raises
    ------
    UsageError
        When the folder holds no run, or a change would make it another run.
    RecipeError
        When an override is none that can be made.
    """
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise UsageError(f"{folder} is no run folder: there is no {path.name} in it")
    before, now = load_recipe(path), load_recipe(path, overrides)
    changes = {name: getattr(now.train, name) for name in CHANGEABLE}
    if before.model_copy(update={"train": before.train.model_copy(update=changes)}) != now:
        allowed = ", ".join(f"train.{name}" for name in CHANGEABLE)
        raise UsageError(f"a resumed run keeps its recipe; only {allowed} may change: not {' '.join(overrides)}")
    return now
