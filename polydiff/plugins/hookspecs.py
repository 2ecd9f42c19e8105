"""Every hook that a plugin may implement, marked with `@polydiff.hookimpl`."""
# mypy: disable-error-code="empty-body"
# ruff: noqa: D103

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import pluggy

from polydiff.plugins import specs

hookspec = pluggy.HookspecMarker("polydiff")
hookimpl = pluggy.HookimplMarker("polydiff")


class Run(Protocol):
    """What an observer may ask of a run."""

    @property
    def folder(self) -> Path:
        """Where the run writes."""

    @property
    def recipe(self) -> Any:
        """The resolved `polydiff.recipe.schema.Recipe`, `CodecRecipe` or `PairRecipe`."""

    @property
    def steps(self) -> int:
        """How many steps the whole run has."""


# fmt: off
# Asked once, when plugins are discovered: what is registered under which name.
@hookspec
def polydiff_modalities() -> Iterable[specs.ModalitySpec]: ...  # Kinds of data.
@hookspec
def polydiff_schedules() -> Iterable[specs.ScheduleSpec]: ...  # Maps from time to (alpha, sigma).
@hookspec
def polydiff_samplers() -> Iterable[specs.SamplerSpec]: ...  # Methods that walk from noise to data.
@hookspec
def polydiff_guidances() -> Iterable[specs.GuidanceSpec]: ...  # Denoisers made from denoisers.
@hookspec
def polydiff_conditioners() -> Iterable[specs.ConditionerSpec]: ...  # Raw inputs to a `Condition`.
@hookspec
def polydiff_codecs() -> Iterable[specs.CodecSpec]: ...  # Codecs that all modalities have.
@hookspec
def polydiff_encoders() -> Iterable[specs.EncoderSpec]: ...  # Networks that make a vector of a content.
@hookspec
def polydiff_objectives() -> Iterable[specs.ObjectiveSpec]: ...  # Losses and their parts.
@hookspec
def polydiff_sources() -> Iterable[specs.SourceSpec]: ...  # More sources, for any modality.
@hookspec
def polydiff_metrics() -> Iterable[specs.MetricSpec]: ...  # Distances between generated and real data.
@hookspec
def polydiff_presets() -> Iterable[specs.PresetSpec]: ...  # Recipes that `polydiff train` takes by name.
@hookspec
def polydiff_commands() -> Iterable[specs.CommandSpec]: ...  # Further `polydiff` commands.
@hookspec
def polydiff_checks() -> Iterable[specs.CheckSpec]: ...  # Checks that `polydiff doctor` makes.


# Told of a run as it happens; what an observer gives back is not used.
@hookspec
def polydiff_run_start(run: Run) -> None: ...  # Before the first step.
@hookspec
def polydiff_step_end(run: Run, step: int, metrics: Mapping[str, float]) -> None: ...  # After each step.
@hookspec
def polydiff_validation_end(run: Run, step: int, report: Any) -> None: ...  # After each validation.
@hookspec
def polydiff_preview(run: Run, step: int, path: Path) -> None: ...  # After a preview is on disk.
@hookspec
def polydiff_checkpoint_saved(run: Run, step: int, path: Path) -> None: ...  # After it is on disk.
@hookspec
def polydiff_run_end(run: Run, reason: str) -> None: ...  # After the last step, whatever the reason.
# fmt: on


REGISTRATIONS: Final[Mapping[str, tuple[type[specs.AnySpec], ...]]] = {
    "polydiff_modalities": (specs.ModalitySpec,),
    "polydiff_schedules": (specs.ScheduleSpec,),
    "polydiff_samplers": (specs.SamplerSpec,),
    "polydiff_guidances": (specs.GuidanceSpec,),
    "polydiff_conditioners": (specs.ConditionerSpec,),
    "polydiff_codecs": (specs.CodecSpec,),
    "polydiff_encoders": (specs.EncoderSpec,),
    "polydiff_objectives": (specs.TimesSpec, specs.WeightingSpec, specs.DistillationSpec, specs.ReconstructionSpec),
    "polydiff_sources": (specs.SourceSpec,),
    "polydiff_metrics": (specs.MetricSpec,),
    "polydiff_presets": (specs.PresetSpec,),
    "polydiff_commands": (specs.CommandSpec,),
    "polydiff_checks": (specs.CheckSpec,),
}
"""The hooks that register names, and the kinds of spec that each may give."""

OBSERVERS: Final = (
    "polydiff_run_start",
    "polydiff_step_end",
    "polydiff_validation_end",
    "polydiff_preview",
    "polydiff_checkpoint_saved",
    "polydiff_run_end",
)
"""The hooks that are told of a run."""
