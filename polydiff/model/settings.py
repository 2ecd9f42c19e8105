"""How to sample: what the recipe says, with what a caller says instead."""

from __future__ import annotations

import math
from collections.abc import Sequence

from polydiff.errors import UsageError
from polydiff.plugins.host import host
from polydiff.plugins.specs import GuidanceSpec, SamplerSpec
from polydiff.recipe.build import complete, complete_grid
from polydiff.recipe.component import Component
from polydiff.recipe.schema import SampleConfig

Guidance = float | Sequence[Component]
"""The scale of classifier-free guidance, or the whole chain of guidances, innermost first."""


def check_set(count: int, first: int, seed: int, batch: int) -> None:
    """Refuse numbers that describe no set of samples.

    Raises
    ------
    UsageError
        Unless a set and a batch have a sample at least, and `first` and `seed` (of 64 bits) are not negative.
    """
    if count < 1 or batch < 1:
        raise UsageError(f"at least one sample must be asked for, and computed at a time; got {count} and {batch}")
    if first < 0 or not 0 <= seed < 1 << 64:
        raise UsageError(f"samples and seeds are counted from 0, seeds to 2^64 - 1; got sample {first} and seed {seed}")


def settings(
    recipe: SampleConfig,
    *,
    sampler: str | Component | None = None,
    steps: int | None = None,
    guidance: Guidance | None = None,
    grid: str | Component | None = None,
) -> SampleConfig:
    """Give the recipe's settings, with those that are not `None` in their place."""
    changes = {
        "sampler": None if sampler is None else complete(SamplerSpec, _component(sampler)),
        "steps": steps,
        "grid": None if grid is None else complete_grid(_component(grid)),
        "guidance": None if guidance is None else [complete(GuidanceSpec, c) for c in chain(recipe.guidance, guidance)],
    }
    return recipe.model_copy(update={key: value for key, value in changes.items() if value is not None})


def _component(named: str | Component) -> Component:
    return Component(named) if isinstance(named, str) else named


def by_condition(guidance: Component) -> bool:
    """Tell whether a guidance does something only where there is a condition."""
    return host().find(GuidanceSpec, guidance.name).by_condition


def chain(recipe: Sequence[Component], guidance: Guidance) -> list[Component]:
    """Give the guidances to apply; a scale replaces that of the recipe's `cfg`, whose other options stay.

    Raises
    ------
    UsageError
        When the scale is not finite.
    """
    if not isinstance(guidance, int | float):
        return list(guidance)
    if not math.isfinite(guidance):
        raise UsageError(f"the guidance scale is {guidance}; it must be finite")
    scale = {"scale": float(guidance)}
    if any(each.name == "cfg" for each in recipe):
        return [each.with_options(each.options | scale) if each.name == "cfg" else each for each in recipe]
    return [Component("cfg", scale), *recipe]
