"""The time grid that suits one model, one sampler and one number of steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError
from polydiff.recipe.build import build_times, complete_grid
from polydiff.recipe.component import Component
from polydiff.sampling.sampler import Sampler
from polydiff.tuning.candidates import grids
from polydiff.tuning.problem import Problem
from polydiff.tuning.spacing import Spacing

ROUNDS = 12
"""Steps of Levenberg-Marquardt at most."""

DIFFERENCE = 0.05
"""The change in a parameter by which derivatives are told."""

ENOUGH = 1e-3
"""A round that gains less than this share of the squared error is the last."""

MORE_KARRAS = (3.0, 5.0)
"""Further rho of the grid `karras` to start from, and to be better than."""


@dataclass(frozen=True, slots=True)
class Untuned:
    """A grid by name, and its error."""

    grid: Component
    times: Tensor
    error: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search has come to.

    Attributes
    ----------
    times
        The grid that it found.
    start
        The best grid by name for the search's own noise, from which it set out.
    found
        The error of `times` there.
    error, untuned
        On held-out noise: that of `times`, and the best grid by name.
    """

    times: Tensor
    start: Untuned
    found: float
    error: float
    untuned: Untuned

    @property
    def wins(self) -> bool:
        """Whether it is better than every grid by name on noise that it has not seen."""
        return self.error < self.untuned.error


def tune(
    search: Problem,
    held_out: Problem,
    sampler: Sampler,
    steps: int,
    on_round: Callable[[int, float], None] | None = None,
) -> Tuned:
    """Look for the grid on which a sampler ends nearest to the reference.

    The sum of squared distances is minimised by Levenberg-Marquardt over the logarithms of the steps in lambda, with
    derivatives by differences.

    Parameters
    ----------
    search, held_out
        With noise of their own.
    on_round
        Told the round, from 0, and the error by then.

    Raises
    ------
    UsageError
        When there is nothing to choose, or the sampler does not end anywhere finite.
    """
    if steps < 2:
        raise UsageError("one step has nothing to tune: its two times are 1 and 0")
    start = best_untuned(search, sampler, steps)
    spacing = Spacing(search.denoiser.schedule, start.times)
    times, found = _minimise(search, sampler, spacing, on_round)
    error = held_out.error(held_out.walk(sampler, times).x)
    return Tuned(times, start, found, error, best_untuned(held_out, sampler, steps))


def best_untuned(problem: Problem, sampler: Sampler, steps: int) -> Untuned:
    """Give the grid by name on which a sampler comes nearest to the reference.

    Raises
    ------
    UsageError
        When it ends nowhere finite on any.
    """
    schedule = problem.denoiser.schedule
    tried = [(grid, build_times(grid, schedule, steps)) for grid in _named(schedule)]
    found = [Untuned(grid, times, problem.error(problem.walk(sampler, times).x)) for grid, times in tried]
    finite = [each for each in found if math.isfinite(each.error)]
    if not finite:
        raise UsageError("with so many steps the sampler ends nowhere finite on any time grid")
    return min(finite, key=lambda each: each.error)


def _named(schedule: Schedule) -> Sequence[Component]:
    return [*grids(schedule), *(complete_grid(Component("karras", {"rho": rho})) for rho in MORE_KARRAS)]


def _minimise(
    problem: Problem, sampler: Sampler, spacing: Spacing, on_round: Callable[[int, float], None] | None
) -> tuple[Tensor, float]:
    """Give the best times and their error."""

    def residual(parameters: Tensor) -> Tensor | None:
        times = spacing.times(parameters)
        if times is None:
            return None
        r = (problem.walk(sampler, times).x - problem.reference).flatten().double().cpu()
        return r if r.isfinite().all() else None

    p = spacing.start
    r = residual(p)
    assert r is not None
    damping = 1e-2
    for done in range(ROUNDS):
        if on_round is not None:
            on_round(done, float(r.square().mean().sqrt()))
        jacobian = _jacobian(residual, p, r)
        normal, slope = jacobian.T @ jacobian, jacobian.T @ r
        before = float(r.square().sum())
        p, r, damping = _step(residual, p, r, normal, slope, damping)
        if float(r.square().sum()) > (1 - ENOUGH) * before:
            break
    times = spacing.times(p)
    assert times is not None
    return times, float(r.square().mean().sqrt())


def _jacobian(residual: Callable[[Tensor], Tensor | None], p: Tensor, r: Tensor) -> Tensor:
    """Differentiate by differences, (len(r), len(p)); a side on which there is no grid counts as flat."""
    columns = []
    for each in torch.eye(len(p), dtype=p.dtype) * DIFFERENCE:
        beside = residual(p + each)
        columns.append(torch.zeros_like(r) if beside is None else (beside - r) / DIFFERENCE)
    return torch.stack(columns, 1)


def _step(
    residual: Callable[[Tensor], Tensor | None], p: Tensor, r: Tensor, normal: Tensor, slope: Tensor, damping: float
) -> tuple[Tensor, Tensor, float]:
    """Go downhill, the less far the more often that fails; stay where nothing helps."""
    scale = normal.diagonal().clamp(min=1e-12 * float(normal.diagonal().max()) + torch.finfo(normal.dtype).tiny).diag()
    for _ in range(6):
        trial = p - torch.linalg.solve(normal + damping * scale, slope).clamp(-1, 1)
        beside = residual(trial)
        if beside is not None and beside.square().sum() < r.square().sum():
            return trial, beside, damping / 4
        damping *= 4
    return p, r, damping
