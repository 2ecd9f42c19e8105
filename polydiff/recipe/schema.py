"""The keys of a recipe, their types, ranges and defaults. `docs/recipes.md` explains them one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from polydiff.plugins.specs import (
    AugmentationSpec,
    AutoencoderSpec,
    BackboneSpec,
    CodecSpec,
    ConditionerSpec,
    DistillationSpec,
    EncoderSpec,
    GuidanceSpec,
    ReconstructionSpec,
    SamplerSpec,
    ScheduleSpec,
    SourceSpec,
    TimesSpec,
    WeightingSpec,
)
from polydiff.recipe.component import Component, ConditionConfig, FurtherSource, WeightedLoss


def _undotted(name: str) -> str:
    if not name or "." in name:
        raise ValueError("a condition's name is not empty and has no dot")
    return name


def _two_a_band(samples: int, info: ValidationInfo) -> int:
    bands = info.data.get("bands", 0)
    if samples < 2 * bands:
        raise ValueError(f"{samples} are too few for {bands} bands; the least is {2 * bands}")
    return samples


def _one(conditions: dict[str, Component]) -> dict[str, Component]:
    if len(conditions) != 1:
        raise ValueError("a contrastive pair has one condition, beside the content")
    return conditions


def _at_once(accumulate: int) -> int:
    if accumulate != 1:
        raise ValueError("a contrastive loss compares all of a batch, which cannot be computed in parts")
    return accumulate


def _unchanged(cache: str | None, info: ValidationInfo) -> str | None:
    if cache is not None and info.data.get("augment"):
        ways = "data.source.cache, where the source has it, keeps them as they are read"
        raise ValueError(f"keeps items as they are encoded, and data.augment changes them before, each time; {ways}")
    return cache


def _in_full(folder: str | None) -> str | None:
    return None if folder is None else str(Path(folder).expanduser().absolute())


Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
FactName = Annotated[str, AfterValidator(_undotted)]

Codec = Annotated[Component, CodecSpec]
Backbone = Annotated[Component, BackboneSpec]
Autoencoder = Annotated[Component, AutoencoderSpec]
Encoder = Annotated[Component, EncoderSpec]
Conditioner = Annotated[ConditionConfig, ConditionerSpec]
Counterpart = Annotated[Component, ConditionerSpec]
Schedule = Annotated[Component, ScheduleSpec]
Sampler = Annotated[Component, SamplerSpec]
Guidance = Annotated[Component, GuidanceSpec]
Source = Annotated[Component, SourceSpec]
Further = Annotated[FurtherSource, SourceSpec]
Augmentation = Annotated[Component, AugmentationSpec]
Times = Annotated[Component, TimesSpec]
Weighting = Annotated[Component, WeightingSpec]
Reconstruction = Annotated[WeightedLoss, ReconstructionSpec]
Distillation = Annotated[Component, DistillationSpec]


class Config(BaseModel):
    """A section of a recipe: every key known, no type guessed, no number infinite, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SampleConfig(Config):
    """How samples are drawn when nothing else is asked for."""

    sampler: Sampler = Component("dpm++2m")
    steps: Count = 20
    grid: Component = Component("half-log-snr")
    guidance: list[Guidance] = []


class RungConfig(Config):
    """One distillation that a model has behind it.

    `teacher` is the SHA-256 of the weights that were learnt from, `loss` what validation measured in the end.
    """

    method: str
    teacher: str
    steps: Count
    loss: float | None = None


class DistilledConfig(Config):
    """What a distilled model can do, and how it came about.

    `samplers` are those that may walk it; it is right at its `own` times, those of `sample`, or at `any`; `scales` are
    the guidance, least and most, that is built into it.
    """

    samplers: list[str]
    times: Literal["own", "any"] = "own"
    scales: tuple[float, float] = (1.0, 1.0)
    rungs: list[RungConfig]


class EncodedConfig(Config):
    """Data of a modality, as a codec encodes them."""

    modality: str
    codec: Codec


class CodecConfig(EncodedConfig):
    """What a codec that learns is, everything but its weights: an autoencoder of what another codec encodes."""

    autoencoder: Autoencoder


class ContrastiveConfig(Config):
    """The content's half of a contrastive pair, and what both halves share.

    `width` is that of the common space, `temperature` the one that training starts from.
    """

    encoder: Encoder
    width: Count = 128
    temperature: Annotated[float, Field(ge=0.01, le=1)] = 0.07


class PairConfig(EncodedConfig):
    """What a contrastive pair is, everything but its weights: an encoder of contents, a conditioner of one fact."""

    contrastive: ContrastiveConfig
    conditions: Annotated[dict[FactName, Counterpart], AfterValidator(_one)]


class ModelConfig(EncodedConfig):
    """What a model is: everything but its weights."""

    backbone: Backbone
    conditions: dict[FactName, Conditioner] = {}
    schedule: Schedule = Component("cosine")
    prediction: Component = Component("v")
    flow_map: bool = False
    sample: SampleConfig = SampleConfig()
    distilled: DistilledConfig | None = None


class DataConfig(Config):
    """What is trained on."""

    source: Source
    also: list[Further] = []
    validation: Source | None = None
    holdout: BelowOne = 0.1
    on_error: Literal["skip", "stop"] = "skip"
    balance: Literal["class"] | None = None
    weights: dict[str, Positive] = {}
    augment: list[Augmentation] = []
    cache: Annotated[str | None, AfterValidator(_unchanged), AfterValidator(_in_full)] = None
    workers: Annotated[int, Field(ge=0)] = 0


class ObjectiveConfig(Config):
    """What is minimised."""

    times: Times = Component("uniform")
    weighting: Weighting = Component("constant")
    balance: Annotated[float, Field(ge=0, le=1)] = 0.0
    exchangeable: bool = False
    drop_all: Annotated[float, Field(ge=0, le=1)] = 0.0


class DistillConfig(Config):
    """The model that is learnt from, in place of the data alone.

    `teacher` is a model folder, `weights` the SHA-256 of its weights; it is guided by `guidance`, at scales drawn from
    `scales` where these are given.
    """

    teacher: Annotated[str, AfterValidator(_in_full)]
    weights: str
    method: Distillation
    guidance: list[Guidance] = []
    scales: tuple[float, float] | None = None


class OptimizerConfig(Config):
    """AdamW and its learning rate over the steps; `muon` is that of hidden matrices, which then move by Muon."""

    lr: Positive = 1e-3
    muon: Positive | None = None
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.99)
    weight_decay: NonNegative = 0.0
    warmup: Annotated[int, Field(ge=0)] = 100
    decay: Literal["constant", "cosine", "linear"] = "cosine"


class EmaConfig(Config):
    """The moving average of the weights, which is what a model is made of."""

    decay: BelowOne = 0.999


class ValidationConfig(Config):
    """How held-out data are judged."""

    every: Count = 500
    bands: Count = 8
    samples: Annotated[Count, AfterValidator(_two_a_band), Field(validate_default=True)] = 512
    patience: Count | None = None


class PreviewConfig(Config):
    """The pictures of what the model makes of noise along the way."""

    every: Count = 500
    samples: Count = 16


class CheckpointConfig(Config):
    """What an interrupted run goes on from."""

    every: Count = 500
    keep: Count = 2
    best: bool = False
    sharded: bool = False


class TrainConfig(Config):
    """How it is trained."""

    steps: Count
    batch: Count
    accumulate: Count = 1
    clip: Positive | None = 1.0
    seed: Seed = 0
    max_minutes: Positive | None = None
    max_bad_steps: Count = 10
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    compile: bool = False
    optimizer: OptimizerConfig = OptimizerConfig()
    ema: EmaConfig = EmaConfig()
    validation: ValidationConfig = ValidationConfig()
    preview: PreviewConfig = PreviewConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    loggers: list[Literal["csv", "mlflow", "tensorboard", "wandb"]] = []

    @property
    def keeps_best(self) -> bool:
        """Whether the model is the best one by its validation loss, not the last."""
        return self.checkpoint.best or self.validation.patience is not None


class Recipe(ModelConfig):
    """A model and how it comes about."""

    data: DataConfig
    objective: ObjectiveConfig = ObjectiveConfig()
    distill: DistillConfig | None = None
    train: TrainConfig


class CodecObjectiveConfig(Config):
    """What is minimised in training a codec: `kl` weighs the divergence of its latents from a standard normal."""

    reconstruction: Annotated[list[Reconstruction], Field(min_length=1)] = [WeightedLoss("l1")]
    kl: NonNegative = 1e-4


class CodecValidationConfig(Config):
    """How a codec is judged on held-out data."""

    every: Count = 500
    samples: Annotated[Count, Field(ge=2)] = 128
    patience: Count | None = None


class CodecTrainConfig(TrainConfig):
    """How a codec is trained."""

    validation: CodecValidationConfig = CodecValidationConfig()  # type: ignore[assignment] # it has no noise bands


class CodecRecipe(CodecConfig):
    """A codec that learns and how it comes about."""

    data: DataConfig
    objective: CodecObjectiveConfig = CodecObjectiveConfig()
    train: CodecTrainConfig


class PairTrainConfig(TrainConfig):
    """How a contrastive pair is trained: what an example is told from is the rest of its batch, on all devices."""

    batch: Annotated[int, Field(ge=2)]
    accumulate: Annotated[int, AfterValidator(_at_once)] = 1
    validation: CodecValidationConfig = CodecValidationConfig()  # type: ignore[assignment] # it has no noise bands


class PairRecipe(PairConfig):
    """A contrastive pair and how it comes about."""

    data: DataConfig
    train: PairTrainConfig


AnyRecipe = Recipe | CodecRecipe | PairRecipe
"""What `polydiff train` takes; one that has an `autoencoder` trains a codec, one with `contrastive` a pair."""
