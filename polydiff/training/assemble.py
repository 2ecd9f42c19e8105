"""From a recipe to everything that training takes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from polydiff.data.balance import weighted
from polydiff.data.examples import ExampleSet
from polydiff.data.joined import Joined
from polydiff.data.order import Order, permutation
from polydiff.data.source import Source
from polydiff.data.split import split
from polydiff.errors import DataError, UsageError
from polydiff.model.model import Model
from polydiff.plugins.host import host
from polydiff.plugins.specs import AugmentationSpec, ConditionerSpec, SourceSpec, TimesSpec, WeightingSpec
from polydiff.recipe.build import build, build_source, resolve
from polydiff.recipe.schema import DataConfig, Recipe
from polydiff.training.objective import Objective
from polydiff.training.preview import Draw


@dataclass(frozen=True, slots=True)
class Parts:
    """What is trained, on what, towards what.

    Attributes
    ----------
    recipe
        Resolved: nothing is left to defaults or to the data.
    held_out
        `None` when nothing is held out.
    draw
        Makes the previews' pictures.
    """

    recipe: Recipe
    model: Model
    examples: ExampleSet
    held_out: ExampleSet | None
    objective: Objective
    draw: Draw


def assemble(recipe: Recipe) -> Parts:
    """Build everything that a recipe names; the model's start is a function of `train.seed`.

    Raises
    ------
    RecipeError
        When an option is not one, or the parts do not go together.
    DataError
        When there are no data.
    PluginError
        When a name is of a plugin that is missing or broken.
    """
    recipe = resolve(recipe)
    modality, data = recipe.modality, recipe.data
    source = build_source(data, modality)
    recipe = _complete(recipe, source)
    torch.manual_seed(recipe.train.seed)
    model = Model.from_config(recipe)
    try:
        model.backbone.check_shape(model.codec.shape)
    except UsageError as error:
        raise recipe.codec.error(str(error)) from error
    model.guided(recipe.sample, model.codec.shape)  # refuses what would fail at the first preview
    indices, held_source, held_indices = _hold_out(source, data, modality)
    model.codec.fit(_contents(source, indices, recipe.train.seed))
    augment = [build(AugmentationSpec, each, modality=modality) for each in data.augment]
    codec, conditioners = copy.deepcopy((model.codec, model.conditioners))  # these stay on the CPU, where data are read
    prepare: dict[str, Any] = {name: each.prepare for name, each in conditioners.items()}
    make = partial(ExampleSet, codec=codec, prepare=prepare, seed=recipe.train.seed, on_error=data.on_error)
    examples = make(source, indices, augment=augment, order=_order(source, indices, data))
    held_out = make(held_source, held_indices) if held_indices else None
    objective = Objective(build(TimesSpec, recipe.objective.times), build(WeightingSpec, recipe.objective.weighting))
    return Parts(recipe, model, examples, held_out, objective, host().load(host().modality(modality), "preview"))


def _complete(recipe: Recipe, source: Source) -> Recipe:
    """Fill in what the conditions' options owe to the data: classes, means, ..."""
    conditions = {}
    for name, condition in recipe.conditions.items():
        conditioner = host().load(host().find(ConditionerSpec, condition.name))
        try:
            options = conditioner.options_from(source, name, condition.options)
        except DataError as error:
            raise condition.error(str(error)) from error
        conditions[name] = condition.with_options(options)
    return recipe.model_copy(update={"conditions": conditions})


def _hold_out(source: Source, data: DataConfig, modality: str) -> tuple[Sequence[int], Source, Sequence[int]]:
    """Give the indices to train on, and the source and the indices to validate on."""
    if data.validation is None:
        indices, held = split(len(source), data.holdout)
        return indices.tolist(), source, held.tolist()
    held_source = build(SourceSpec, data.validation, modality=modality)
    return range(len(source)), held_source, range(len(held_source))


def _order(source: Source, indices: Sequence[int], data: DataConfig) -> Order:
    if data.balance is None and not data.weights and all(each.weight == 1 for each in data.also):
        return permutation
    return weighted(
        [source.label(index) for index in indices],
        [source.place(index) if isinstance(source, Joined) else 0 for index in indices],
        balance=data.balance,
        weights=data.weights,
        source_weights=[1.0, *(each.weight for each in data.also)],
    )


def _contents(source: Source, indices: Sequence[int], seed: int) -> Iterator[Any]:
    """Read what can be read, in the order of the first epoch, so that any part of it stands for all; the rest is
    reported when it is trained on.
    """
    for place in permutation(len(indices), seed, epoch=0):
        try:
            yield source[indices[place]].content
        except DataError:
            continue
