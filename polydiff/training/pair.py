"""From the recipe of a contrastive pair to everything that training takes."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from polydiff.data.examples import ExampleSet
from polydiff.errors import RecipeError
from polydiff.model.pair import Pair
from polydiff.model.pretrained import codec_class
from polydiff.plugins.host import host
from polydiff.recipe.build import resolve
from polydiff.recipe.schema import PairRecipe
from polydiff.training.completing import complete_conditions
from polydiff.training.contrastive import ContrastiveLoss
from polydiff.training.data import TrainingData
from polydiff.training.preview import Draw
from polydiff.training.processes import Processes
from polydiff.training.retrieval import Retrieval, RetrievalPreviewer


@dataclass(frozen=True, slots=True)
class PairParts:
    """What is trained, on what, towards what: `polydiff.training.assemble.Parts` for a contrastive pair.

    Attributes
    ----------
    recipe
        Resolved.
    """

    recipe: PairRecipe
    model: Pair
    examples: ExampleSet
    held_out: ExampleSet | None
    draw: Draw

    def loss(self) -> ContrastiveLoss:
        """Make what gives each sample's loss."""
        self.model.codec.eval()
        return ContrastiveLoss(self.model)

    def validator(self, batch: int, processes: Processes) -> Retrieval | None:
        """Make what judges the pair by so many items at once; `None` when nothing is held out.

        Raises
        ------
        RecipeError
            When one item alone is held out, which there is nothing to tell from.
        """
        if self.held_out is None:
            return None
        if len(self.held_out) < 2:
            raise RecipeError("data.holdout: one item alone is held out, and a pair is judged among several")
        config, workers = self.recipe.train.validation, self.recipe.data.workers
        return Retrieval(self.held_out, config, batch=batch, workers=workers, processes=processes)

    def previewer(self) -> RetrievalPreviewer:
        """Make what draws which captions are nearest."""
        return RetrievalPreviewer(self.held_out or self.examples, self.draw, samples=self.recipe.train.preview.samples)


def assemble_pair(recipe: PairRecipe) -> PairParts:
    """Build everything that a pair's recipe names; the start is a function of `train.seed`.

    Raises
    ------
    RecipeError
        When an option is not one, or the parts do not go together.
    DataError
        When there are no data.
    PluginError
        When a name is of a plugin that is missing or broken.
    """
    if codec_class(recipe.codec, recipe.modality).folder:
        raise recipe.codec.error("a contrastive pair takes what comes of contents themselves; name another codec")
    recipe = resolve(recipe)
    seed = recipe.train.seed
    data = TrainingData.of(recipe.data, recipe.modality)
    recipe = recipe.model_copy(update={"conditions": complete_conditions(recipe.conditions, data.source)})
    torch.manual_seed(seed)
    model = Pair.from_config(recipe)
    model.codec.requires_grad_(False)
    model.codec.fit(data.contents(seed))
    codec, conditioner = copy.deepcopy((model.codec, model.conditioner))  # these stay on the CPU, where data are read
    prepared = data.prepared({model.fact: conditioner.prepare}, recipe.conditions, codec, recipe.codec)
    examples, held_out = data.examples(codec, recipe.codec, prepared, seed)
    draw = host().load(host().modality(recipe.modality), "preview")
    return PairParts(recipe, model, examples, held_out, draw)
