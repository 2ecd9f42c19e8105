"""From names and options to objects, through the plugin host."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from polydiff.core.denoiser import Denoiser
from polydiff.core.prediction import PREDICTIONS, Prediction
from polydiff.core.schedule import Schedule
from polydiff.data.codec import Codec
from polydiff.data.joined import Joined
from polydiff.data.source import Source
from polydiff.errors import PluginError, RecipeError, UsageError, unknown
from polydiff.nn.autoencoder import Autoencoder
from polydiff.plugins.host import host
from polydiff.plugins.specs import (
    AutoencoderSpec,
    BackboneSpec,
    CodecSpec,
    ConditionerSpec,
    DistillationSpec,
    EncoderSpec,
    GuidanceSpec,
    ReconstructionSpec,
    ScheduleSpec,
    SourceSpec,
    Spec,
)
from polydiff.recipe.component import Component
from polydiff.recipe.options import Options, plain
from polydiff.recipe.origin import KeyPath, Origin
from polydiff.recipe.schema import DataConfig, EncodedConfig
from polydiff.recipe.shape import map_components, slot
from polydiff.sampling.grid import GRIDS, time_grid

C = TypeVar("C", bound=EncodedConfig)

ENGINE: Mapping[type[Spec], Collection[str]] = {
    BackboneSpec: {"data_channels", "condition"},
    AutoencoderSpec: {"data_shape"},
    ReconstructionSpec: {"codec"},
    EncoderSpec: {"data_shape"},
    GuidanceSpec: {"denoiser", "codec", "encoded"},
    ConditionerSpec: {"codec", "read"},
    DistillationSpec: {"teacher", "weighting", "positions"},
}
"""What the engine passes to the targets of a kind, and no recipe may set."""

NESTED: Mapping[type, type[Spec]] = {Schedule: ScheduleSpec, Codec: CodecSpec, Autoencoder: AutoencoderSpec}
"""What an option names that is itself a component, by the option's type; an autoencoder stands beside a `codec`."""

OFFERED = {"codec", "encoded", "positions", "read"}
"""What of it a target may do without."""

ENGINE_GRID = ("schedule", "steps")
"""What it passes to a time grid."""


def build(
    spec_type: type[Spec],
    component: Component,
    *,
    modality: str | None = None,
    load: Callable[[Path], Denoiser] | None = None,
    **context: Any,
) -> Any:
    """Make what a component names.

    Parameters
    ----------
    spec_type
        The kind of thing that it names.
    component
        Its options are checked against the signature of the registered target.
    modality
        Needed where names are unique within a modality only.
    load
        Gives the denoiser of a model folder, for options that are one.
    context
        The engine's own arguments.

    Raises
    ------
    RecipeError
        When an option is unknown, missing, of another type or out of range; with the place in the recipe. It is a
        UsageError for a component that was made in Python.
    PluginError
        When the plugin is missing or broken.
    """
    target = find_target(spec_type, component, modality)
    takes = inspect.signature(target).parameters
    context = {name: value for name, value in context.items() if name in takes or name not in OFFERED}
    return _make(target, component, context, ENGINE.get(spec_type, ()), load, modality)


def build_source(data: DataConfig, modality: str) -> Source:
    """Make what a recipe trains on, of all of its sources; raises as `build` does."""
    first: Source = build(SourceSpec, data.source, modality=modality)
    if not data.also:
        return first
    further = {f"also.{place}": build(SourceSpec, each, modality=modality) for place, each in enumerate(data.also)}
    return Joined({"source": first, **further})


def build_prediction(component: Component) -> Prediction:
    """Make a prediction; raises as `build` does."""
    prediction: Prediction = _make(_prediction(component), component, {}, ())
    return prediction


def build_times(component: Component, schedule: Schedule, steps: int) -> Tensor:
    """Make the times of a grid, (steps + 1,); raises as `build` does."""
    options = Options.of(_grid(component), ENGINE_GRID).check(component)
    with _at(component.origin):
        return time_grid(component.name, schedule, steps, **options)


def complete(spec_type: type[Spec], component: Component, *, modality: str | None = None) -> Component:
    """Check the options of a component and write out those that are left to their defaults; raises as `build` does."""
    return _resolve(find_target(spec_type, component, modality), component, ENGINE.get(spec_type, ()), modality)


def models_named(spec_type: type[Spec], component: Component) -> list[Path]:
    """Give the model folders that a component's options name; raises as `build` does."""
    options = Options.of(find_target(spec_type, component, None), ENGINE.get(spec_type, ()))
    return [value for name, value in options.check(component).items() if options.types[name] is Denoiser]


def complete_grid(component: Component) -> Component:
    """Do for a time grid as `complete` does."""
    return _resolve(_grid(component), component, ENGINE_GRID)


def resolve(config: C) -> C:
    """Check the options of every component and write out what is left unsaid: each default, each path in full.

    What comes back means the same in another folder, and under a later version with other defaults.

    Raises
    ------
    RecipeError, PluginError
        As `build` does.
    """
    schema = slot(type(config))

    def resolved(component: Component, path: KeyPath) -> Component:
        if path == ("sample", "grid"):
            return complete_grid(component)
        place = schema.below(path)
        if place is None or place.spec is None:
            return _resolve(_prediction(component), component, ())
        return complete(place.spec, component, modality=config.modality)

    return map_components(config, resolved)


def find_target(spec_type: type[Spec], component: Component, modality: str | None) -> Callable[..., Any]:
    """Load what a component names; raises as `build` does."""
    if modality is not None:
        with _at(_top(component, "modality")):
            host().modality(modality)
    with _at(component.origin and component.origin.at("name")):
        spec = host().find(spec_type, component.name, modality)
        target: Callable[..., Any] = host().load(spec)
    return target


def _top(component: Component, *path: str) -> Origin | None:
    """Give another place of the recipe that holds a component."""
    return component.origin and Origin(component.origin.locations, path)


def _prediction(component: Component) -> type[Prediction]:
    if component.name not in PREDICTIONS:
        raise component.error(unknown("prediction", component.name, PREDICTIONS), "name")
    return PREDICTIONS[component.name]


def _grid(component: Component) -> Callable[..., Tensor]:
    if component.name not in GRIDS:
        raise component.error(unknown("time grid", component.name, GRIDS), "name")
    return GRIDS[component.name]


def _make(
    target: Callable[..., Any],
    component: Component,
    context: Mapping[str, Any],
    engine: Collection[str],
    load: Callable[[Path], Denoiser] | None = None,
    modality: str | None = None,
) -> Any:
    options = Options.of(target, {*engine, *context})
    made: dict[str, Any] = {}
    for name, value in options.check(component).items():
        if options.types[name] is Denoiser:
            assert load is not None, "an option that is a model, where no model can be loaded"
            made[name] = load(value)
        elif isinstance(value, Component):
            kind = NESTED[options.types[name]]
            within: dict[str, Any] = {"data_shape": made["codec"].shape} if kind is AutoencoderSpec else {}
            made[name] = build(kind, value, modality=modality, **within)
        else:
            made[name] = value
    with _at(component.origin):
        return target(**context, **made)


def _resolve(
    target: Callable[..., Any], component: Component, engine: Collection[str], modality: str | None = None
) -> Component:
    options = Options.of(target, engine)
    values = {**options.defaults, **options.check(component)}

    def resolved(name: str) -> Any:
        value = values[name]
        if isinstance(value, Component):
            return complete(NESTED[options.types[name]], value, modality=modality).flat()
        return plain(value)

    return component.with_options({name: resolved(name) for name in options.types})


@contextmanager
def _at(origin: Origin | None) -> Iterator[None]:
    """Say where in the recipe the fault lies."""
    try:
        yield
    except (UsageError, PluginError) as error:
        if origin is None:
            raise
        kind = PluginError if isinstance(error, PluginError) else RecipeError
        raise kind(f"{origin}: {error}") from error
