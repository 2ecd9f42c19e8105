"""Every sampler on every time grid, by evaluations: how near it comes, and how long it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.core.schedule import Schedule
from polydiff.recipe.component import Component
from polydiff.tuning.candidates import Candidate, grids, times_within
from polydiff.tuning.problem import Problem


@dataclass(frozen=True, slots=True)
class Measurement:
    """One sampler on one grid.

    Attributes
    ----------
    grid, steps
        `None` where the sampler chooses its steps itself.
    evaluations
        Of the denoiser, a mean over the samples.
    error
        As `Problem.error` has it.
    seconds
        Of one sample, of the batch as a whole.
    """

    sampler: Component
    grid: Component | None
    steps: int | None
    evaluations: float
    error: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be measured: a sampler on the times of a grid."""

    candidate: Candidate
    grid: Component | None
    times: Tensor


def plan(samplers: Sequence[Candidate], schedule: Schedule, budgets: Sequence[int]) -> list[Task]:
    """Put every sampler on every grid, with the most steps that each budget of evaluations allows."""
    return [task for each in samplers for task in _tasks(each, schedule, budgets)]


def measure(problem: Problem, task: Task) -> Measurement:
    """Run a sampler and see where it ends."""
    walk = problem.walk(task.candidate.sampler, task.times)
    steps = None if task.grid is None else len(task.times) - 1
    seconds = walk.seconds / len(problem.x_1)
    return Measurement(task.candidate.component, task.grid, steps, walk.evaluations, problem.error(walk.x), seconds)


def best(measurements: Sequence[Measurement], budget: float) -> Measurement | None:
    """Give the one of least error among those that take no more than `budget` evaluations."""
    within = [each for each in measurements if each.evaluations <= budget and math.isfinite(each.error)]
    return min(within, key=lambda each: (each.error, each.evaluations), default=None)


def pareto(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Give those that no other beats with as few evaluations or fewer, by evaluations."""
    front: list[Measurement] = []
    finite = [each for each in measurements if math.isfinite(each.error)]
    for each in sorted(finite, key=lambda each: (each.evaluations, each.error)):
        if not front or each.error < front[-1].error:
            front.append(each)
    return front


def _tasks(candidate: Candidate, schedule: Schedule, budgets: Sequence[int]) -> list[Task]:
    if candidate.adaptive:
        return [Task(candidate, None, torch.tensor([1.0, 0.0], dtype=torch.float64))]
    tasks = {}
    for grid in grids(schedule):
        for budget in budgets:
            times = times_within(candidate.sampler, grid, schedule, budget)
            if times is not None:
                tasks[grid.name, len(times)] = Task(candidate, grid, times)
    return list(tasks.values())
