"""Data whose exact answers are known, on each family of schedules."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from polydiff.core.discrete import Discrete
from polydiff.core.oracle import Gaussian, Mixture
from polydiff.core.schedule import EDM, Cosine, Flow, Linear, Schedule, Shifted

FAMILIES: Mapping[str, Schedule] = MappingProxyType(
    {"linear": Linear(), "cosine": Cosine(), "edm": EDM(), "flow": Flow()}
)
"""Variance preserving with data left at t = 1 and without, variance exploding, and straight paths."""

HALF_LOG_SNR = (-math.log(10), -math.log(0.05))
"""Noise-to-signal from 10 to 0.05: inside every one of them, above the sigma at which `edm` ends."""


def even(schedule: Schedule, steps: int) -> Tensor:
    """Give the times of so many steps, even in lambda, between the ends of `HALF_LOG_SNR`."""
    return schedule.time(2 * torch.linspace(*HALF_LOG_SNR, steps + 1, dtype=torch.float64))


def mixture(schedule: Schedule) -> Mixture:
    """Give three bumps on a line, whose probability flow is known."""
    means, stds, weights = torch.tensor([[-1.0, 0.3, 1.2], [0.25, 0.15, 0.3], [0.4, 0.35, 0.25]], dtype=torch.float64)
    return Mixture(means, stds, weights, schedule)


def gaussian(schedule: Schedule) -> Gaussian:
    """Give one bump, on which every sampler is an affine map of state and noise."""
    mean, std = torch.tensor([0.7, 0.4], dtype=torch.float64)
    return Gaussian(mean, std, schedule)


def point(mean: Tensor, schedule: Schedule) -> Gaussian:
    """Give data that is always the same."""
    return Gaussian(mean, torch.zeros_like(mean), schedule)


class Problem:
    """The mixture on a schedule, and where its probability flow carries noise from all over the prior.

    Attributes
    ----------
    oracle
        The exact denoiser.
    schedule
        Its schedule.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.oracle = mixture(schedule)
        self._exact: dict[tuple[float, float], Tensor] = {}

    def noise(self, t: Tensor) -> Tensor:
        """Give states at a time, (101,), of quantiles that are the same on every schedule."""
        alpha, sigma = self.schedule(t)
        return torch.linspace(-2.5, 2.5, 101, dtype=torch.float64) * (alpha**2 + sigma**2).sqrt()

    def exact(self, t: Tensor, s: Tensor) -> Tensor:
        """Give where the states of `noise` at t are at s; computed once."""
        key = float(t), float(s)
        if key not in self._exact:
            self._exact[key] = self.oracle.flow(self.noise(t), t, s)
        return self._exact[key]


@functools.cache
def problem(name: str) -> Problem:
    """Give the problem on one of `FAMILIES`."""
    return Problem(FAMILIES[name])


def discrete() -> Discrete:
    """Give the table of DDPM, to verify the schedule `discrete` with."""
    return Discrete(betas=torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64).tolist())


def shifted() -> Shifted:
    """Give `cosine` for data of half the size, to verify the schedule `shifted` with."""
    return Shifted(base=Cosine(), scale=0.5)
