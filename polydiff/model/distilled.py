"""What a distilled model can be asked for, and how it is told how much to guide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from polydiff.errors import UsageError
from polydiff.recipe.component import Component
from polydiff.recipe.schema import DistilledConfig, ModelConfig, SampleConfig

SCALE = "guidance"
"""The condition by which a student is told the scale of its guidance."""


def check(config: ModelConfig, chosen: SampleConfig) -> None:
    """Refuse settings that a distilled model was not made for; others take any.

    Raises
    ------
    UsageError
        With what the model was made for.
    """
    made = config.distilled
    if made is None:
        return
    _check_guidance(config.sample, made, chosen)
    if chosen.sampler.name not in made.samplers:
        known = ", ".join(made.samplers)
        raise UsageError(f"sampler '{chosen.sampler.name}' cannot walk this distilled model; it is made for {known}")
    if made.times == "any":
        return
    steps = "1 step" if config.sample.steps == 1 else f"{config.sample.steps} steps"
    if chosen.steps != config.sample.steps:
        raise UsageError(f"this model was distilled to {steps} and takes no other number, such as {chosen.steps}")
    if chosen.grid != config.sample.grid:
        raise UsageError(f"this model was distilled to {steps} on a time grid of its own, not '{chosen.grid.name}'")


def check_avoided(config: ModelConfig) -> None:
    """Refuse to lead a distilled model away from anything.

    Raises
    ------
    UsageError
        When it is one.
    """
    if config.distilled is not None:
        raise UsageError("guidance is built into this distilled model, which was never led away from anything else")


def scale_of(guidance: Sequence[Component]) -> float:
    """Give the scale of classifier-free guidance in a chain, 1 where there is none."""
    return next((float(each.options["scale"]) for each in guidance if each.name == "cfg"), 1.0)


def with_scale(
    config: ModelConfig, values: Mapping[str, Sequence[Any]], chosen: SampleConfig, count: int
) -> Mapping[str, Sequence[Any]]:
    """Tell a model that is told so the scale of its guidance, for each of `count` samples that nothing is said of."""
    if SCALE not in config.conditions or config.distilled is None:
        return values
    scale = [scale_of(chosen.guidance)]
    return {**values, SCALE: [scale if each is None else each for each in values.get(SCALE, [None] * count)]}


def _check_guidance(recipe: SampleConfig, made: DistilledConfig, chosen: SampleConfig) -> None:
    scale, (low, high) = scale_of(chosen.guidance), made.scales
    if not _alike(recipe.guidance, chosen.guidance, scale):
        raise UsageError("guidance is built into this distilled model, which takes a scale at most and nothing else")
    if low == high and scale != low:
        raise UsageError(f"guidance {low:g} is built into this distilled model; it cannot be guided by {scale:g}")
    if not low <= scale <= high:
        raise UsageError(f"this model was distilled for guidance from {low:g} to {high:g}, not for {scale:g}")


def _alike(built_in: Sequence[Component], asked: Sequence[Component], scale: float) -> bool:
    """Tell whether two chains differ in nothing but the scale; by a scale of 1, where and how does not matter."""
    ours, theirs = ([each for each in some if each.name != "cfg"] for some in (built_in, asked))
    how, here = (next((_how(each) for each in some if each.name == "cfg"), None) for some in (built_in, asked))
    return ours == theirs and (how == here or how is None or scale == 1)


def _how(cfg: Component) -> dict[str, Any]:
    return {name: value for name, value in cfg.options.items() if name != "scale"}
