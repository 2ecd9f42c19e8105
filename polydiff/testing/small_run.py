"""What the conformance kit examines: the parts of a recipe, a short run, a network that answers to everything."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from polydiff.model.model import Model
from polydiff.plugins.host import Host, host
from polydiff.recipe.load import load_recipe
from polydiff.training.assemble import AnyParts, Parts, assemble
from polydiff.training.processes import Processes, launch
from polydiff.training.record import Run
from polydiff.training.train import train
from polydiff.training.validation import Estimate, Judge

_SHAKE = 0.05


@dataclass(frozen=True, slots=True)
class Trained:
    """A short run.

    Attributes
    ----------
    folder
        Of the run.
    before, after
        The validation loss before the first step and after the last.
    """

    folder: Path
    before: Estimate
    after: Estimate


def build_parts(recipe: str, overrides: Sequence[str]) -> Parts:
    """Build all that a recipe file, or a preset, names."""
    parts = _assembled(recipe, overrides)
    assert isinstance(parts, Parts), f"{recipe} is the recipe of a codec"
    return parts


def train_briefly(parts: AnyParts, folder: Path) -> Trained:
    """Train on one process of the CPU, observed by no plugin."""
    processes = launch(accelerator="cpu", precision=parts.recipe.train.precision)
    run = Run(folder, parts.recipe)
    before = _validate(parts, processes)
    outcome = train(parts, run, processes, host=Host())
    assert outcome.reason == "finished", f"the run ended by {outcome.reason}"
    figures = outcome.progress.figures
    return Trained(folder, before, Estimate(figures["loss"], figures["ci"]))


def train_codec(recipe: str, overrides: Sequence[str], folder: Path) -> Path:
    """Train a codec by a recipe file or a preset, and give its run folder, for a model of its latents.

    Raises
    ------
    AssertionError
        Unless the loss on held-out data falls by more than it is uncertain.
    """
    trained = train_briefly(_assembled(recipe, overrides), folder / "codec")
    assert trained.after.loss + trained.after.ci < trained.before.loss, "the codec has learnt nothing"
    return trained.folder


def _assembled(recipe: str, overrides: Sequence[str]) -> AnyParts:
    path = Path(recipe)
    return assemble(load_recipe(path if path.is_file() else host().preset(recipe), overrides))


def shaken(model: Model) -> Model:
    """Copy a model with noise on its weights: no output is left at its initial zero, every input tells."""
    model = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        weight.data += _SHAKE * torch.randn(weight.shape, generator=generator)
    return model


def raw_conditions(parts: Parts, count: int) -> dict[str, list[Any]]:
    """Give the conditions of a run's first examples, as the conditioners take them."""
    items = [parts.examples[position] for position in range(count)]
    return {name: [item.conditions[name] for item in items] for name in parts.recipe.conditions}


def _validate(parts: AnyParts, processes: Processes) -> Estimate:
    assert parts.held_out is not None, "the recipe holds nothing out: set data.holdout"
    validator = parts.validator(parts.recipe.train.batch, processes)
    assert validator is not None
    judge: Judge = validator
    return judge(copy.deepcopy(parts.model).eval()).total
