"""The walk from noise to data.

Every update is written with the estimate of x_0, `x_s = c_x x_t + c_0 x0 (+ noise)`: it then serves
variance-preserving, variance-exploding and flow schedules alike, and stays finite where alpha_t = 0 and where sigma_s
= 0.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.noise import PRIOR, STEP, Seeds
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError
from polydiff.sampling.grid import time_grid


@dataclass(frozen=True, slots=True)
class Level:
    """A time and how much data and noise there is at it."""

    t: float
    alpha: float
    sigma: float

    @property
    def half_log_snr(self) -> float:
        """Lambda = log(alpha / sigma), infinite where one of them is zero."""
        if self.alpha == 0:
            return -math.inf
        return math.log(self.alpha / self.sigma) if self.sigma > 0 else math.inf


def levels(schedule: Schedule, times: Tensor) -> list[Level]:
    """Evaluate the schedule at all times of a grid at once."""
    alphas, sigmas = schedule(times)
    return [Level(*values) for values in zip(times.tolist(), alphas.tolist(), sigmas.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class StepEnd:
    """What a sampler did in one step, for callbacks.

    Attributes
    ----------
    index, steps
        This step, from 0, of how many.
    t, s
        From where to where.
    x_t, x0, x_s
        The state at t, the estimate of x_0 made there, and the state at s; (B, *) each.
    """

    index: int
    steps: int
    t: Level
    s: Level
    x_t: Tensor
    x0: Tensor
    x_s: Tensor


@dataclass(frozen=True, slots=True)
class Step:
    """What a sampler's `step` gives back.

    Attributes
    ----------
    x_s
        The state at s.
    x0
        The estimate of x_0 at t.
    carry
        What the next step needs of this one; all of a sampler's memory.
    """

    x_s: Tensor
    x0: Tensor
    carry: Any = None


Noise = Callable[[], Tensor]
"""Draws this step's standard normal noise, shaped as the state."""


class Sampler(ABC):
    """A method that walks a time grid. It has no state of its own: `step` is a function of its arguments."""

    @abstractmethod
    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s < t. `carry` is what the step before gave, `None` at the first."""

    def sample(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        *,
        steps: int | None = None,
        times: Tensor | Sequence[float] | None = None,
        cond: Condition | None = None,
        grid: str = "half-log-snr",
        seeds: Seeds | None = None,
        on_step: Callable[[StepEnd], None] | None = None,
    ) -> Tensor:
        """Walk from noise to data, or along any decreasing times.

        Parameters
        ----------
        x_t
            (B, *), the state at the first time.
        steps
            How many, on the named `grid`; or
        times
            an explicit decreasing grid, of two times at least.
        seeds
            The samples' identities, for samplers that draw noise.

        Returns
        -------
        Tensor
            (B, *), the state at the last time.

        Raises
        ------
        UsageError
            When not exactly one of `steps` and `times` is given, or `times` is not a decreasing grid, or the sampler
            draws noise and there are no `seeds`.
        """
        path = levels(denoiser.schedule, _times(denoiser.schedule, steps, times, grid))
        carry = None
        with torch.no_grad():
            for index, (t, s) in enumerate(zip(path, path[1:], strict=False)):
                step = self.step(denoiser, x_t, t, s, cond=cond, carry=carry, noise=_noise(seeds, index, x_t))
                if on_step is not None:
                    on_step(StepEnd(index, len(path) - 1, t, s, x_t, step.x0, step.x_s))
                x_t, carry = step.x_s, step.carry
        return x_t


def prior(schedule: Schedule, seeds: Seeds, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
    """Draw x_1 = sigma_1 eps, (B, *shape): what is left of the data at t = 1 is taken for nothing."""
    return float(schedule(1.0)[1]) * seeds.normal(shape, stream=PRIOR, device=device)


def denoise(denoiser: Denoiser, x_t: Tensor, t: Level, cond: Condition | None) -> Tensor:
    """Evaluate the denoiser at a level."""
    x0: Tensor = denoiser(x_t, torch.tensor(t.t, dtype=torch.float64), cond)
    return x0


def _times(schedule: Schedule, steps: int | None, times: Tensor | Sequence[float] | None, grid: str) -> Tensor:
    if (steps is None) == (times is None):
        raise UsageError("a sampler needs either steps or times")
    if steps is not None:
        return time_grid(grid, schedule, steps)
    path = torch.as_tensor(times, dtype=torch.float64)
    if path.ndim != 1 or len(path) < 2 or not (path.diff() < 0).all():
        raise UsageError("times must be a list of at least two numbers, each smaller than the one before")
    return path


def _noise(seeds: Seeds | None, index: int, x: Tensor) -> Noise:
    def draw() -> Tensor:
        if seeds is None:
            raise UsageError("this sampler draws noise: give it seeds=polydiff.Seeds(seed, indices)")
        return seeds.normal(x.shape[1:], stream=STEP, step=index, device=x.device, dtype=x.dtype)

    return draw
