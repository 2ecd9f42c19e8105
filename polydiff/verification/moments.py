"""What a stochastic sampler does to mean and variance, exactly: on Gaussian data every step is affine.

So is a whole walk, x = shift + slope x_t + sum_k spread_k z_k, whatever is carried from step to step; one batch
measures it, whose first sample has neither state nor noise, whose second has the state 1, and whose others have one
draw each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Around, Denoiser
from polydiff.core.noise import Seeds
from polydiff.core.oracle import Gaussian
from polydiff.core.schedule import Schedule
from polydiff.sampling.sampler import Sampler, StepEnd
from polydiff.verification.known import even, gaussian


@dataclass(frozen=True, slots=True)
class Affine:
    """A state of the walk at time t, as a map of the first state and of the draws so far."""

    t: float
    shift: Tensor
    slope: Tensor
    spread: Tensor

    def moments(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and variance, from those of the first state."""
        return self.shift + self.slope * mean, self.slope**2 * variance + self.spread.square().sum()


class Watching(Around):
    """Another denoiser; remembers what it is asked."""

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__(denoiser)
        self.asked: list[tuple[Tensor, Tensor]] = []

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the other's estimate."""
        self.asked.append((x_t, t))
        x0: Tensor = self.denoiser(x_t, t, cond)
        return x0


def affine(method: Sampler, oracle: Gaussian, times: Tensor) -> tuple[list[Affine], list[Affine]]:
    """Measure the state at the end of each step and of the walk, and each that the denoiser is asked about."""
    draws = _Draws(batch=2 + count_draws(method, oracle, times))
    x_t = torch.zeros(draws.batch, dtype=torch.float64)
    x_t[1] = 1
    ends: list[StepEnd] = []
    watching = Watching(oracle)
    last = method.sample(watching, x_t, times=times, seeds=cast(Seeds, draws), on_step=ends.append)
    states = [*((end.x_s, end.s.t) for end in ends), (last, float(times[-1]))]
    return [_affine(x, t) for x, t in states], [_affine(x, float(t)) for x, t in watching.asked]


def count_draws(method: Sampler, oracle: Gaussian, times: Tensor) -> int:
    """Count how often a walk draws noise."""
    draws = _Draws(batch=1)
    method.sample(oracle, torch.zeros(1, dtype=torch.float64), times=times, seeds=cast(Seeds, draws))
    return len(draws.seen)


def moment_errors(method: Sampler, oracle: Gaussian, times: Tensor) -> tuple[float, float]:
    """Give how far mean and variance are from the exact ones at the end, as shares of the std and the variance."""
    (*_, last), _ = affine(method, oracle, times)
    mean, variance = last.moments(*oracle.moments(times[0]))
    exact_mean, exact_variance = oracle.moments(times[-1])
    mean_error = abs(mean - exact_mean) / exact_variance.sqrt()
    return mean_error.item(), (abs(variance - exact_variance) / exact_variance).item()


def moment_convergence(method: Sampler, schedule: Schedule, steps: Sequence[int]) -> tuple[list[float], list[float]]:
    """Give the errors of mean and of variance for each number of steps, even in lambda."""
    errors = [moment_errors(method, gaussian(schedule), even(schedule, count)) for count in steps]
    return [mean for mean, _ in errors], [variance for _, variance in errors]


def _affine(x: Tensor, t: float) -> Affine:
    return Affine(t, x[0], x[1] - x[0], x[2:] - x[0])


class _Draws:
    """Stands for seeds. Gives each draw of a walk to a sample of its own, from the third on, and counts them."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.seen: dict[int, int] = {}

    def normal(
        self, shape: Sequence[int], *, stream: int, step: int, device: torch.device | str | None, dtype: torch.dtype
    ) -> Tensor:
        column = 2 + self.seen.setdefault(step, len(self.seen))
        return (torch.arange(max(self.batch, column + 1)) == column)[: self.batch].to(dtype)
