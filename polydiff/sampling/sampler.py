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
from typing import Any, Protocol

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.noise import PRIOR, STEP, Seeds
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError
from polydiff.sampling.grid import Grid, time_grid

_PART = 20
"""The bits of a noise's number that tell the step; those above tell the part."""


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

    @property
    def ratio(self) -> float:
        """Rho = sigma / alpha, EDM's noise level, infinite where there is no data."""
        return self.sigma / self.alpha if self.alpha > 0 else math.inf


def level_at(schedule: Schedule, half_log_snr: float) -> Level:
    """Give the level of a lambda."""
    log_snr = torch.tensor(2 * half_log_snr, dtype=torch.float64)
    alpha, sigma = schedule.coefficients(log_snr)
    return Level(float(schedule.time(log_snr)), float(alpha), float(sigma))


def levels(schedule: Schedule, times: Tensor) -> list[Level]:
    """Evaluate the schedule at all times of a grid at once."""
    alphas, sigmas = schedule(times)
    return [Level(*values) for values in zip(times.tolist(), alphas.tolist(), sigmas.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Work:
    """What a step took in a method that decides by itself how often it evaluates the denoiser.

    Attributes
    ----------
    evaluations
        (B,) int64, of each sample.
    error
        (B,) float64, the sum of the estimated errors along the step, of x scaled to alpha^2 + sigma^2 = 1.
    """

    evaluations: Tensor
    error: Tensor


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
    work
        Of methods that decide on it by themselves.
    """

    index: int
    steps: int
    t: Level
    s: Level
    x_t: Tensor
    x0: Tensor
    x_s: Tensor
    work: Work | None = None


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
    work
        Where the method decides on it by itself.
    """

    x_s: Tensor
    x0: Tensor
    carry: Any = None
    work: Work | None = None


class Noise(Protocol):
    """Draws a step's standard normal noise, shaped as the state."""

    def __call__(self, part: int = 0) -> Tensor:
        """Give the same numbers for the same part, from 0, and independent ones for another."""
        ...


class Sampler(ABC):
    """A method that walks a time grid. It has no state of its own: `step` is a function of its arguments.

    Attributes
    ----------
    evaluations
        Of the denoiser in one step, once under way: first steps may take more, and steps to or from infinity fewer.
        Methods that choose their steps say in `StepEnd.work` what they took; this is what one of their own takes.
    """

    evaluations: int = 1

    def begin(self, path: Sequence[Level]) -> Any:
        """Give the first step's `carry`, for a method that has to know the whole grid."""
        return None

    @abstractmethod
    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s < t. `carry` is what the step before gave, or `begin`: `None` in most methods."""

    def sample(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        *,
        steps: int | None = None,
        times: Tensor | Sequence[float] | None = None,
        cond: Condition | None = None,
        grid: str | Grid = "half-log-snr",
        seeds: Seeds | None = None,
        on_step: Callable[[StepEnd], None] | None = None,
    ) -> Tensor:
        """Walk from noise to data, or along any decreasing times.

        Parameters
        ----------
        x_t
            (B, *), the state at the first time.
        steps
            How many, on the `grid`, which is a name or a function (`functools.partial(karras, rho=5)`); or
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
        grid_times = _times(denoiser.schedule, steps, times, grid)
        path = levels(denoiser.schedule, grid_times)
        carry = self.begin(path)
        with torch.no_grad():
            for index, (each, t, s) in enumerate(zip(denoiser.along(grid_times), path, path[1:], strict=False)):
                step = self.step(each, x_t, t, s, cond=cond, carry=carry, noise=_noise(seeds, index, x_t))
                if on_step is not None:
                    on_step(StepEnd(index, len(path) - 1, t, s, x_t, step.x0, step.x_s, step.work))
                x_t, carry = step.x_s, step.carry
        return x_t


def prior(schedule: Schedule, seeds: Seeds, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
    """Draw x_1 = sigma_1 eps, (B, *shape): what is left of the data at t = 1 is taken for nothing."""
    return float(schedule(1.0)[1]) * seeds.normal(shape, stream=PRIOR, device=device)


def denoise(denoiser: Denoiser, x_t: Tensor, t: Level, cond: Condition | None) -> Tensor:
    """Evaluate the denoiser at a level."""
    x0: Tensor = denoiser(x_t, torch.tensor(t.t, dtype=torch.float64), cond)
    return x0


def advance(x_t: Tensor, x0: Tensor, t: Level, s: Level) -> Tensor:
    """Go from t to s as if x0 were the data: exact along the flow of a point, of first order on any other."""
    c_x = s.sigma / t.sigma
    return torch.add(c_x * x_t, x0, alpha=s.alpha - t.alpha * c_x)


def noise_in(x_t: Tensor, x0: Tensor, t: Level) -> Tensor:
    """Give the eps that x_t holds when x0 is its data."""
    return torch.add(x_t, x0, alpha=-t.alpha) / t.sigma


def bounded(t: Level, s: Level) -> bool:
    """Tell whether a step is finite in lambda, as methods of higher order need it; in others they `advance`."""
    return t.alpha > 0 and s.sigma > 0


def _times(schedule: Schedule, steps: int | None, times: Tensor | Sequence[float] | None, grid: str | Grid) -> Tensor:
    if (steps is None) == (times is None):
        raise UsageError("a sampler needs either steps or times")
    path = torch.as_tensor(times, dtype=torch.float64) if steps is None else time_grid(grid, schedule, steps)
    if path.ndim != 1 or len(path) < 2 or not (path.diff() < 0).all():
        raise UsageError("times must be a list of at least two numbers, each smaller than the one before")
    return path


def _noise(seeds: Seeds | None, index: int, x: Tensor) -> Noise:
    def draw(part: int = 0) -> Tensor:
        if seeds is None:
            raise UsageError("this sampler draws noise: give it seeds=polydiff.Seeds(seed, indices)")
        return seeds.normal(x.shape[1:], stream=STEP, step=part << _PART | index, device=x.device, dtype=x.dtype)

    return draw
