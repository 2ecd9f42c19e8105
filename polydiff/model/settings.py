"""How to sample: what the recipe says, with what a caller says instead."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from polydiff.errors import UsageError, unknown
from polydiff.plugins.host import host
from polydiff.plugins.specs import GuidanceSpec, SamplerSpec
from polydiff.recipe.build import complete, complete_grid
from polydiff.recipe.component import Component
from polydiff.recipe.schema import SampleConfig

Guidance = float | Mapping[str, float] | Sequence[Component]
"""The scale of classifier-free guidance, or one for each of several conditions, or the whole chain of guidances,
innermost first.
"""


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


def weighs_apart(guidance: Component) -> bool:
    """Tell whether a guidance weighs the conditions one by one."""
    return host().find(GuidanceSpec, guidance.name).apart


def check_asked(
    guidance: Sequence[Component], asked: Collection[str], avoided: Collection[str], conditions: Collection[str]
) -> None:
    """Refuse guidance that a user has asked for and that has nothing to guide by.

    Parameters
    ----------
    asked, avoided
        The conditions that are given.
    conditions
        Those that the model has.

    Raises
    ------
    UsageError
        When no condition is given to guidance that needs one, or one is weighed that is not given.
    """
    weighed = [name for each in guidance if weighs_apart(each) for name in each.options.get("scales") or {}]
    for name in weighed:
        if name not in conditions:
            raise UsageError(f"guidance: {unknown('condition', name, conditions)}")
    if not asked and not avoided and any(map(by_condition, guidance)):
        raise UsageError(
            f"guidance needs a condition to be guided by: {' or '.join(conditions) or 'this model has none'}"
        )
    for name in weighed:
        if name not in asked:
            raise UsageError(f"guidance weighs the condition '{name}', which is not given")


def check_avoided(guidance: Sequence[Component]) -> None:
    """Refuse to avoid something where nothing leads away from it.

    Raises
    ------
    UsageError
        When no guidance works by what is asked for and what is not, or each is off.
    """
    for each in guidance:
        spec = host().find(GuidanceSpec, each.name)
        if spec.by_condition and any(each.options.get(key) != value for key, value in spec.neutral.items()):
            return
    raise UsageError("guidance leads away from what is to be avoided, and there is none: ask for a scale above 1")


def chain(recipe: Sequence[Component], guidance: Guidance) -> list[Component]:
    """Give the guidances to apply; a scale replaces that of the recipe's `cfg`, whose other options stay.

    Scales of several conditions replace the recipe's `cfg` by `composed`, to which its interval goes.

    Raises
    ------
    UsageError
        When a scale is not finite.
    """
    if isinstance(guidance, Sequence):
        return list(guidance)
    scales = guidance if isinstance(guidance, Mapping) else {"": guidance}
    for scale in scales.values():
        if not math.isfinite(scale):
            raise UsageError(f"the guidance scale is {scale}; it must be finite")
    by = next((each for each in recipe if each.name == "cfg"), Component("cfg"))
    if isinstance(guidance, Mapping):
        interval = {key: value for key, value in by.options.items() if key == "interval"}
        new = Component("composed", {"scales": dict(guidance), **interval})
    else:
        new = by.with_options(by.options | {"scale": float(guidance)})
    return [new if each is by else each for each in recipe] if by in recipe else [new, *recipe]
