"""What a plugin registers: small frozen records, whose `target` names an object without importing it."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    name: str
    target: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleSpec(Spec):
    """A `polydiff.core.schedule.Schedule`."""


@dataclass(frozen=True, slots=True)
class SamplerSpec(Spec):
    """A `polydiff.sampling.sampler.Sampler`, with the claims it is held to.

    Attributes
    ----------
    order
        Global order of convergence to the probability-flow map; for a stochastic sampler, of mean and variance.
    stochastic
        Whether it draws noise along the way.
    """

    order: int = 1
    stochastic: bool = False


@dataclass(frozen=True, slots=True)
class GuidanceSpec(Spec):
    """A denoiser made from denoisers."""


@dataclass(frozen=True, slots=True)
class ConditionerSpec(Spec):
    """A `polydiff.conditioning.conditioner.Conditioner`."""


@dataclass(frozen=True, slots=True)
class TimesSpec(Spec):
    """A distribution of training times."""


@dataclass(frozen=True, slots=True)
class WeightingSpec(Spec):
    """A weighting of the loss over noise levels."""


@dataclass(frozen=True, slots=True)
class CodecSpec(Spec):
    """A `polydiff.data.codec.Codec`; its name is unique within its modality."""


@dataclass(frozen=True, slots=True)
class BackboneSpec(Spec):
    """A network; its name is unique among all plugins, so that one modality can use another's."""


@dataclass(frozen=True, slots=True)
class SourceSpec(Spec):
    """A `polydiff.data.source.Source`; its name is unique within `modality`.

    Attributes
    ----------
    modality
        Filled in for the sources of a `ModalitySpec`; required from `polydiff_sources`.
    """

    modality: str = ""


@dataclass(frozen=True, slots=True)
class AugmentationSpec(Spec):
    """A `polydiff.data.augmentation.Augmentation`; its name is unique within its modality."""


@dataclass(frozen=True, slots=True)
class MetricSpec(Spec):
    """A function of generated and real features."""


@dataclass(frozen=True, slots=True)
class FileKindSpec(Spec):
    """A kind of file that `generate` writes: `target` is a function `(content, metadata) -> bytes`.

    `metadata` is a `Mapping[str, str]`, written into the file where its format has a place for it.

    Attributes
    ----------
    suffix
        With its dot: ".png".
    """

    suffix: str = ""


@dataclass(frozen=True, slots=True)
class PresetSpec(Spec):
    """A recipe shipped with a plugin; `target` is `"package:path/in/package.yaml"`."""


@dataclass(frozen=True, slots=True)
class CommandSpec(Spec):
    """A further `polydiff` command; `target` is a click command."""


@dataclass(frozen=True, slots=True)
class CheckSpec(Spec):
    """A check for `polydiff doctor`; `target` is a function `() -> Iterable[polydiff.plugins.checks.Finding]`."""


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
        As `preview`, `(contents) -> {ending: bytes}`: the x0 estimates of one sample from noise to data, as files
        whose names end so ("-strip.png", ".gif").
    """

    name: str
    summary: str
    codecs: tuple[CodecSpec, ...]
    backbones: tuple[BackboneSpec, ...]
    sources: tuple[SourceSpec, ...]
    files: tuple[FileKindSpec, ...]
    preview: str
    trajectory: str
    augmentations: tuple[AugmentationSpec, ...] = ()
    presets: tuple[PresetSpec, ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
