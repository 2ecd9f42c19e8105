"""How far samplers are from the exact answer for what they cost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress

import torch

from polydiff.core.noise import Seeds
from polydiff.plugins.specs import SamplerSpec
from polydiff.sampling.grid import time_grid
from polydiff.sampling.sampler import Sampler
from polydiff.verification.known import FAMILIES, Problem, gaussian, problem
from polydiff.verification.moments import Watching, moment_errors
from polydiff.verification.report import Accuracy

BUDGETS = (5, 10, 20, 40)
"""The evaluations per sample at which errors are shown."""

_GRID = "half-log-snr"
_ONE, _ZERO = torch.tensor([1.0, 0.0], dtype=torch.float64)


def accuracy(method: Sampler, spec: SamplerSpec) -> Iterator[Accuracy]:
    """Measure the error from pure noise to the data at each of `BUDGETS`, on the grid `half-log-snr`.

    There is none where not even one step can be afforded, nor of a method that breaks, which the checks tell of.
    """
    if spec.stochastic and not spec.order:
        return
    for name, budget in itertools.product(FAMILIES, BUDGETS):
        with suppress(Exception):
            if found := _affordable(method, problem(name), budget):
                steps, evaluations = found
                error = (_variance_error if spec.stochastic else _path_error)(method, name, steps)
                yield Accuracy(name, budget, evaluations, error)


def _affordable(method: Sampler, problem: Problem, budget: int) -> tuple[int, float] | None:
    """Give the most steps that take no more evaluations than allowed, and how many they take."""
    if _evaluations(method, problem, 1) > budget:
        return None
    for steps in range(max(1, budget // method.evaluations), 0, -1):
        evaluations = _evaluations(method, problem, steps)
        if evaluations <= budget:
            return steps, evaluations
    return None


def _evaluations(method: Sampler, problem: Problem, steps: int) -> float:
    oracle, x_1 = Watching(problem.oracle), problem.noise(_ONE)
    method.sample(oracle, x_1, steps=steps, grid=_GRID, seeds=Seeds(0, range(len(x_1))))
    return sum(len(x) for x, _ in oracle.asked) / len(x_1)


def _path_error(method: Sampler, name: str, steps: int) -> float:
    x_0 = method.sample(problem(name).oracle, problem(name).noise(_ONE), steps=steps, grid=_GRID)
    return (x_0 - problem(name).exact(_ONE, _ZERO)).abs().median().item()


def _variance_error(method: Sampler, name: str, steps: int) -> float:
    schedule = FAMILIES[name]
    return moment_errors(method, gaussian(schedule), time_grid(_GRID, schedule, steps))[1]
