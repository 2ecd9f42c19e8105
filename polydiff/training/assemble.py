"""From a recipe to everything that training takes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from polydiff.data.examples import ExampleSet
from polydiff.errors import UsageError
from polydiff.model.model import Model
from polydiff.model.pretrained import complete_codec, set_pretrained, without_folder
from polydiff.plugins.host import host
from polydiff.plugins.specs import DistillationSpec, TimesSpec, WeightingSpec
from polydiff.recipe.build import build, resolve
from polydiff.recipe.schema import AnyRecipe, CodecRecipe, PairRecipe, Recipe
from polydiff.training.codec import CodecParts, assemble_codec
from polydiff.training.completing import complete_conditions
from polydiff.training.data import TrainingData
from polydiff.training.objective import AnyObjective, Objective, TrainingLoss
from polydiff.training.pair import PairParts, assemble_pair
from polydiff.training.preview import Draw, Previewer
from polydiff.training.processes import Processes
from polydiff.training.teacher import Teacher
from polydiff.training.validation import Validator


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
    objective: AnyObjective
    draw: Draw

    def loss(self) -> nn.Module:
        """Make what gives each sample's loss."""
        self.model.codec.eval()
        config = self.recipe.train
        dropout = {name: condition.dropout for name, condition in self.recipe.conditions.items()}
        return TrainingLoss(
            self.model,
            self.objective,
            seed=config.seed,
            batch=config.batch,
            dropout=dropout,
            drop_all=self.recipe.objective.drop_all,
        )

    def validator(self, batch: int, processes: Processes) -> Validator | None:
        """Make what judges the model by so many samples at once; `None` when nothing is held out."""
        if self.held_out is None:
            return None
        config, workers = self.recipe.train, self.recipe.data.workers
        return Validator(
            self.objective,
            self.held_out,
            config.validation,
            seed=config.seed,
            batch=batch,
            workers=workers,
            processes=processes,
        )

    def previewer(self) -> Previewer:
        """Make what draws samples."""
        config = self.recipe.train
        examples = self.held_out or self.examples
        return Previewer(self.model, examples, self.draw, samples=config.preview.samples, seed=config.seed)


AnyParts = Parts | CodecParts | PairParts


def assemble(recipe: AnyRecipe) -> AnyParts:
    """Build everything that a recipe names, of a model, a codec or a contrastive pair.

    Raises
    ------
    PolydiffError
        As `assemble_model` does.
    """
    match recipe:
        case CodecRecipe():
            return assemble_codec(recipe)
        case PairRecipe():
            return assemble_pair(recipe)
    return assemble_model(recipe)


def assemble_model(recipe: Recipe) -> Parts:
    """Build everything that a diffusion recipe names; the model's start is a function of `train.seed`.

    Raises
    ------
    RecipeError
        When an option is not one, or the parts do not go together.
    DataError
        When there are no data.
    PluginError
        When a name is of a plugin that is missing or broken.
    """
    modality = recipe.modality
    tensors: Mapping[str, Tensor] = {}
    if recipe.distill is None:
        completed, tensors = complete_codec(recipe.codec, modality)
        recipe = recipe.model_copy(update={"codec": completed})
    recipe = resolve(recipe)
    data = TrainingData.of(recipe.data, modality)
    recipe = recipe.model_copy(update={"conditions": complete_conditions(recipe.conditions, data.source)})
    torch.manual_seed(recipe.train.seed)
    model = Model.from_config(recipe.model_copy(update={"codec": without_folder(recipe.codec, modality)}))
    set_pretrained(model.codec.eval().requires_grad_(False), tensors)
    try:
        model.backbone.check_shape(model.codec.shape)
    except UsageError as error:
        raise recipe.codec.error(str(error)) from error
    model.guided(recipe.sample, model.codec.shape)  # refuses what would fail at the first preview
    weighting = build(WeightingSpec, recipe.objective.weighting)
    objective: AnyObjective
    if recipe.distill is None:
        if recipe.objective.exchangeable and not model.codec.exchangeable:
            raise recipe.codec.error(
                "objective.exchangeable is for data whose positions are a sample, as a cloud's points are; "
                f"those of '{recipe.codec.name}' are not"
            )
        model.codec.fit(data.contents(recipe.train.seed))
        objective = Objective(build(TimesSpec, recipe.objective.times), weighting, recipe.objective.exchangeable)
    else:
        teacher = Teacher.of(recipe.distill)
        teacher.start(model)
        objective = build(
            DistillationSpec,
            recipe.distill.method,
            teacher=teacher,
            weighting=weighting,
            positions=recipe.train.steps * recipe.train.batch,
        )
    codec, conditioners = copy.deepcopy((model.codec, model.conditioners))  # these stay on the CPU, where data are read
    prepare: dict[str, Any] = {name: each.prepare for name, each in conditioners.items()}
    prepared = data.prepared(prepare, recipe.conditions, codec, recipe.codec)
    examples, held_out = data.examples(codec, recipe.codec, prepared, recipe.train.seed)
    return Parts(recipe, model, examples, held_out, objective, host().load(host().modality(modality), "preview"))
