"""Samplers and time grids that can be compared by where they end, and the steps that a budget allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.core.discrete import Discrete
from polydiff.core.oracle import Gaussian
from polydiff.core.schedule import Schedule
from polydiff.errors import PluginError, UsageError, unknown
from polydiff.plugins.host import host
from polydiff.plugins.specs import SamplerSpec
from polydiff.recipe.build import build, build_times, complete, complete_grid
from polydiff.recipe.component import Component
from polydiff.sampling.grid import GRIDS
from polydiff.sampling.sampler import Sampler
from polydiff.tuning.problem import walk

TOLERANCES = (0.2, 0.05, 0.01)
"""The `rtol` of samplers that choose their steps by one."""

ABSOLUTE = 0.156
"""Their `atol`, as a share of that."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sampler with all its options.

    Attributes
    ----------
    adaptive
        It chooses its steps itself, so that neither grid nor number of steps is asked for.
    """

    component: Component
    sampler: Sampler
    adaptive: bool = False


def candidates(names: Sequence[str] = ()) -> tuple[list[Candidate], dict[str, str]]:
    """Find the samplers that follow the probability flow.

    Parameters
    ----------
    names
        Only these; all that are registered by default.

    Returns
    -------
    list, dict
        The samplers, and by name why others are left out.

    Raises
    ------
    UsageError
        When there is no sampler of a name.
    """
    registered = {entry.spec.name: entry.spec for entry in host().all(SamplerSpec)}
    for name in names:
        if name not in registered:
            raise UsageError(unknown("sampler", name, registered))
    found: list[Candidate] = []
    left_out: dict[str, str] = {}
    targets: dict[str, str] = {}
    for name in names or registered:
        spec = registered[name]
        assert isinstance(spec, SamplerSpec)
        if spec.stochastic:
            left_out[name] = "draws noise, so that where it ends is not for error alone to say"
        elif spec.target in targets:
            left_out[name] = f"the same as {targets[spec.target]}"
        else:
            targets[spec.target] = name
            try:
                found += _variants(spec)
            except (UsageError, PluginError) as error:
                left_out[name] = str(error)
    return found, left_out


def _variants(spec: SamplerSpec) -> Iterator[Candidate]:
    plain = complete(SamplerSpec, Component(spec.name))
    if spec.order > 0:
        yield Candidate(plain, build(SamplerSpec, plain))
    elif {"rtol", "atol"} <= plain.options.keys():
        for rtol in TOLERANCES:
            component = plain.with_options(plain.options | {"rtol": rtol, "atol": ABSOLUTE * rtol})
            yield Candidate(component, build(SamplerSpec, component), adaptive=True)
    else:
        raise UsageError("claims no order: more steps are not to bring it closer")


def grids(schedule: Schedule) -> list[Component]:
    """Give the time grids, with their default options, that suit a schedule."""
    suited = [name for name in GRIDS if name != "times" and (name != "discrete" or isinstance(schedule, Discrete))]
    return [complete_grid(Component(name)) for name in suited]


def times_within(sampler: Sampler, grid: Component, schedule: Schedule, budget: int) -> Tensor | None:
    """Give the grid's times with the most steps that take no more than `budget` evaluations; `None` without any."""
    point = Gaussian(torch.zeros(1), torch.ones(1), schedule)
    for steps in range(budget, 0, -1):
        times = build_times(grid, schedule, steps)
        if walk(point, sampler, torch.ones(1, 1), times).evaluations <= budget:
            return times
    return None
