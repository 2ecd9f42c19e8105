"""From a codec recipe to everything that training takes."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from polydiff.data.codec import Codec
from polydiff.data.examples import ExampleSet
from polydiff.errors import DataError, UsageError
from polydiff.model.codec_model import CodecModel
from polydiff.model.pretrained import codec_class
from polydiff.plugins.host import host
from polydiff.plugins.specs import CodecSpec, ReconstructionSpec
from polydiff.recipe.build import build, resolve
from polydiff.recipe.schema import CodecRecipe
from polydiff.training.data import TrainingData
from polydiff.training.preview import Draw
from polydiff.training.processes import Processes
from polydiff.training.reconstruction import CodecLoss, CodecObjective
from polydiff.training.round_trip import Fidelity, RoundTrip, RoundTripPreviewer


@dataclass(frozen=True, slots=True)
class CodecParts:
    """What is trained, on what, towards what: `polydiff.training.assemble.Parts` for a codec.

    Attributes
    ----------
    recipe
        Resolved.
    examples, held_out
        Encoded by the codec of the data.
    fidelity
        Measures what comes back, where the modality knows how.
    """

    recipe: CodecRecipe
    model: CodecModel
    examples: ExampleSet
    held_out: ExampleSet | None
    objective: CodecObjective
    draw: Draw
    fidelity: Fidelity | None

    def loss(self) -> CodecLoss:
        """Make what gives each sample's loss."""
        return CodecLoss(self.model, self.objective, seed=self.recipe.train.seed)

    def validator(self, batch: int, processes: Processes) -> RoundTrip | None:
        """Make what judges the codec by so many items at once; `None` when nothing is held out."""
        if self.held_out is None:
            return None
        config, workers = self.recipe.train.validation, self.recipe.data.workers
        return RoundTrip(
            self.objective, self.fidelity, self.held_out, config, batch=batch, workers=workers, processes=processes
        )

    def previewer(self) -> RoundTripPreviewer:
        """Make what draws what comes back."""
        return RoundTripPreviewer(self.held_out or self.examples, self.draw, samples=self.recipe.train.preview.samples)


def assemble_codec(recipe: CodecRecipe) -> CodecParts:
    """Build everything that a codec recipe names; the start is a function of `train.seed`.

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
        raise recipe.codec.error("an autoencoder takes what comes of contents themselves; name another codec")
    recipe = resolve(recipe)
    seed = recipe.train.seed
    data = TrainingData.of(recipe.data, recipe.modality)
    codec: Codec = build(CodecSpec, recipe.codec, modality=recipe.modality)
    _refuse_masks(recipe, codec, data)
    codec.fit(data.contents(seed))
    torch.manual_seed(seed)
    try:
        model = CodecModel.from_config(recipe)
    except UsageError as error:
        raise recipe.autoencoder.error(str(error)) from error
    model.codec.codec.load_state_dict(codec.state_dict())
    objective = _objective(recipe, codec)
    model.losses.extend(objective.learnt)
    examples, held_out = data.examples(copy.deepcopy(codec), recipe.codec, {}, seed)
    modality = host().modality(recipe.modality)
    return CodecParts(
        recipe,
        model,
        examples,
        held_out,
        objective,
        host().load(modality, "preview"),
        host().load(modality, "fidelity") if modality.fidelity else None,
    )


def _objective(recipe: CodecRecipe, codec: Codec) -> CodecObjective:
    asked = recipe.objective.reconstruction
    objective = CodecObjective(
        [(each.weight, build(ReconstructionSpec, each, codec=codec)) for each in asked], recipe.objective.kl
    )
    if not objective.judged().terms:
        raise asked[0].error("asks for nothing that can be judged; put l1 beside it")
    return objective


def _refuse_masks(recipe: CodecRecipe, codec: Codec, data: TrainingData) -> None:
    """Refuse a codec whose data are not all there."""
    for content in data.contents(recipe.train.seed):
        try:
            masks = codec.mask(content) is not None
        except DataError:
            continue
        if masks:
            raise recipe.codec.error("masks padding, which an autoencoder would take for data; choose other options")
        return
