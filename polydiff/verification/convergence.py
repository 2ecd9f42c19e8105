"""The order of convergence of a deterministic sampler, against the exact probability flow of a 1-D mixture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from polydiff.errors import UsageError
from polydiff.sampling.sampler import Sampler, levels
from polydiff.verification.known import Problem, even

STEPS = (60, 120, 240)
"""Where the error has settled to a power of the step, and rounding is far below it."""

WARM_UP = 3
"""The steps that give way to exact values: after an inexact start a method of third order is seen to be of second."""

ROUNDING = 1e-12
"""An error below this says nothing of an order."""


def convergence(method: Sampler, problem: Problem, steps: Sequence[int] = STEPS) -> list[float]:
    """Give the median error over trajectories, for each number of steps, even in lambda."""
    errors = []
    for count in steps:
        grid = even(problem.schedule, count)
        error = _walk(method, problem, grid) - problem.exact(grid[0], grid[-1])
        errors.append(error.abs().median().item())
    return errors


def order(steps: Sequence[int], errors: Sequence[float]) -> float:
    """Fit error = c steps^-order; infinite where the errors are those of rounding, and NaN where one is not finite."""
    if not all(map(math.isfinite, errors)):
        return math.nan
    told = [(count, error) for count, error in zip(steps, errors, strict=True) if error >= ROUNDING]
    if len(told) < 2:
        return math.inf
    log_steps, log_errors = np.log(np.array(told)).T
    return -float(np.polyfit(log_steps, log_errors, 1)[0])


def _walk(method: Sampler, problem: Problem, grid: Tensor) -> Tensor:
    path = levels(problem.schedule, grid)
    x_t, carry = problem.noise(grid[0]), method.begin(path)
    for index, (t, s) in enumerate(zip(path, path[1:], strict=False)):
        step = method.step(problem.oracle, x_t, t, s, cond=None, carry=carry, noise=_none)
        x_t = step.x_s if index >= WARM_UP else problem.exact(grid[0], grid[index + 1])
        carry = step.carry
    return x_t


def _none(part: int = 0) -> Tensor:  # noqa: ARG001
    raise UsageError("a sampler that is said to be deterministic draws noise")
