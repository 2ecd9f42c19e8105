"""What a plugin registers: small frozen records, whose `target` names an object without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

API_VERSION = 1
"""A plugin module may declare `POLYDIFF_API = 1`; another number than this one is refused."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A registered name and where its object is found.

    Attributes
    ----------
    name
        What recipes, the command line and Python callers say.
    target
        `"package.module:Name"`, imported when first used.
    summary
        One line for tables.
    kind
        What the name is a name of, as messages and tables call it.
    """

    kind: ClassVar[str]

    name: str
    target: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleSpec(Spec):
    """A `polydiff.core.schedule.Schedule`.

    Attributes
    ----------
    example
        `"package.module:function"`, `() -> Schedule`: builds one for `polydiff verify`; empty where that needs no
        options.
    """

    kind = "schedule"

    example: str = ""


@dataclass(frozen=True, slots=True)
class SamplerSpec(Spec):
    """A `polydiff.sampling.sampler.Sampler`, with the claims it is held to.

    Attributes
    ----------
    order
        Global order of convergence to the probability-flow map; of mean and variance where it is stochastic. 0 claims
        none, for methods that a number of steps does not refine.
    stochastic
        Whether it draws noise along the way.
    """

    kind = "sampler"

    order: int = 1
    stochastic: bool = False


@dataclass(frozen=True, slots=True)
class GuidanceSpec(Spec):
    """A denoiser made from denoisers, with the claims it is held to.

    Attributes
    ----------
    neutral
        Options at which it does nothing: the estimate is the plain one, of whatever condition, bit for bit.
    by_condition
        Whether it is the condition that guides: without one nothing does, and with its null the estimate is the
        unconditional one.
    needs
        What it takes that a value in a recipe is not: "classifier" and "score" are functions, `(x, t, cond) -> (B,)`,
        and arguments of that name; "weaker" is another denoiser, an argument of that name; "attention" is a network
        that has some; "files" are those of a model trained elsewhere.
    apart
        Whether it weighs the conditions one by one, by an option `scales` among others, and is told of each alone.
    """

    kind = "guidance"

    neutral: Mapping[str, Any] = field(default_factory=dict, hash=False)
    by_condition: bool = True
    needs: str = ""
    apart: bool = False


class ConditionerSpec(Spec):
    """A `polydiff.conditioning.conditioner.Conditioner`."""

    __slots__ = ()
    kind = "conditioner"


class TimesSpec(Spec):
    """A distribution of training times."""

    __slots__ = ()
    kind = "time distribution"


class WeightingSpec(Spec):
    """A weighting of the loss over noise levels."""

    __slots__ = ()
    kind = "weighting"


class DistillationSpec(Spec):
    """A `polydiff.distillation.distillation.Distillation`: a way for a model to learn from another."""

    __slots__ = ()
    kind = "distillation method"


class CodecSpec(Spec):
    """A `polydiff.data.codec.Codec`; its name is unique within its modality, or one that all modalities have."""

    __slots__ = ()
    kind = "codec"


class AutoencoderSpec(Spec):
    """A `polydiff.nn.autoencoder.Autoencoder`; its name is unique among all plugins, as a backbone's is."""

    __slots__ = ()
    kind = "autoencoder"


class EncoderSpec(Spec):
    """A `polydiff.nn.encoder.Encoder`, which makes one vector of an encoded content."""

    __slots__ = ()
    kind = "encoder"


class ReconstructionSpec(Spec):
    """A loss between what an autoencoder makes of data and the data; see `polydiff.training.reconstruction`."""

    __slots__ = ()
    kind = "reconstruction loss"


class BackboneSpec(Spec):
    """A network; its name is unique among all plugins, so that one modality can use another's."""

    __slots__ = ()
    kind = "backbone"


@dataclass(frozen=True, slots=True)
class SourceSpec(Spec):
    """A `polydiff.data.source.Source`; its name is unique within `modality`.

    Attributes
    ----------
    modality
        Filled in for the sources of a `ModalitySpec`; required from `polydiff_sources`.
    """

    kind = "source"

    modality: str = ""


class AugmentationSpec(Spec):
    """A `polydiff.data.augmentation.Augmentation`; its name is unique within its modality."""

    __slots__ = ()
    kind = "augmentation"


@dataclass(frozen=True, slots=True)
class MetricSpec(Spec):
    """A distance between what is generated and what is real.

    Attributes
    ----------
    modality
        Filled in for the metrics of a `ModalitySpec`. With one, `target` is a function
        `(generated, real, **options) -> dict` of sequences of contents, whose record says everything that the
        number, its `value`, depends on. Without, it is a function of features, (n, d) and (m, d), of any modality.
    ideal
        What it is at best, when both sets are of one kind; the worse, the farther from it.
    pairs
        Whether it compares the i-th generated with the i-th real content, not the one set with the other.
    """

    kind = "metric"

    modality: str = ""
    ideal: float = 0.0
    pairs: bool = False


@dataclass(frozen=True, slots=True)
class FileKindSpec(Spec):
    """A kind of file that `generate` writes: `target` is a function `(content, metadata) -> bytes`.

    Its name is unique within its modality. `metadata` is a `Mapping[str, str]`, written into the file where
    its format has a place for it.

    Attributes
    ----------
    suffix
        With its dot: ".png".
    loss
        `"package.module:function"`, `(content) -> str | None`: what of a content the format cannot hold, in words
        that follow its name ("peaks 2.3 dB above full scale"); empty when it holds everything.
    facts
        `"package.module:function"`, `(content) -> dict`: what is to be known of a content's file and is not to be
        seen in the content, by name, for the user and for its record; empty when there is nothing.
    """

    kind = "file kind"

    suffix: str = ""
    loss: str = ""
    facts: str = ""


class PresetSpec(Spec):
    """A recipe shipped with a plugin; `target` is `"package:path/in/package.yaml"`."""

    __slots__ = ()
    kind = "preset"


class CommandSpec(Spec):
    """A further `polydiff` command; `target` is a click command."""

    __slots__ = ()
    kind = "command"


class CheckSpec(Spec):
    """A check for `polydiff doctor`; `target` is `() -> Iterable[polydiff.plugins.checks.Finding]`."""

    __slots__ = ()
    kind = "check"


@dataclass(frozen=True, slots=True)
class ModalitySpec:
    """A kind of data and everything needed to train on it.

    Attributes
    ----------
    name
        "image", "audio", ...
    files
        The first is what `generate` writes when nothing else is asked for.
    preview
        `"package.module:function"`, `(contents, captions) -> bytes`: a PNG that shows a batch of samples.
    trajectory
        As `preview`, `(contents) -> {ending: bytes}`: the x0 estimates of one sample from noise to data, as
        files whose names end so ("-strip.png", ".gif").
    normalize
        As `preview`, `(content) -> content`: brings a sample to the level that files are made for; empty where there
        is no such thing.
    describe
        As `preview`, `(content) -> polydiff.data.description.Description`: a content as numbers, for
        `polydiff data check`, which without it finds no sizes and no duplicates.
    fidelity
        As `preview`, `(content, original) -> {name: float}`: how true a content is to what it was made of, by the
        measures of the field, for the codecs that learn.
    """

    kind: ClassVar[str] = "modality"

    name: str
    summary: str
    codecs: tuple[CodecSpec, ...]
    backbones: tuple[BackboneSpec, ...]
    sources: tuple[SourceSpec, ...]
    files: tuple[FileKindSpec, ...]
    preview: str
    trajectory: str
    autoencoders: tuple[AutoencoderSpec, ...] = ()
    augmentations: tuple[AugmentationSpec, ...] = ()
    presets: tuple[PresetSpec, ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
    normalize: str = ""
    describe: str = ""
    fidelity: str = ""


AnySpec = Spec | ModalitySpec

ObjectiveSpec = TimesSpec | WeightingSpec | DistillationSpec | ReconstructionSpec
"""What a loss is made of."""
