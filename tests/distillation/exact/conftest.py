"""Exact teachers and students, which methods are given in the place of networks."""

from types import SimpleNamespace

import pytest
import torch

from polydiff.core.denoiser import Around, per_sample
from polydiff.core.noise import Seeds
from polydiff.core.prediction import X0
from polydiff.distillation.consistency import ToldWhen
from polydiff.training.teacher import Told


class ExactTeacher:
    """A denoiser in the place of a `Teacher`."""

    def __init__(self, denoiser):
        self.denoiser, self.schedule = denoiser, denoiser.schedule

    def x0(self, x_t, t, told, mask=None):
        return self.denoiser(x_t, t)


class ExactFlowMap(Around):
    """The flow map of known data as a network would give it, off by a multiple of the time."""

    def __init__(self, oracle, error=0.0):
        super().__init__(oracle)
        self.error = torch.nn.Parameter(torch.tensor(error, dtype=torch.float64))
        self.prediction = X0()

    def forward(self, x_t, t, cond=None, mask=None, s=None):
        end = t if s is None else s
        return self.denoiser.toward(end)(x_t, t) + per_sample(self.error * t, x_t)

    def output(self, x_t, t, cond=None, mask=None, s=None):
        return self(x_t, t, cond, mask, s)


class ConsistencyFunction(ExactFlowMap):
    """The ends of all trajectories."""

    def forward(self, x_t, t, cond=None, mask=None, s=None):
        alpha, _ = self.schedule(0.0)
        return self.denoiser.flow(x_t, per_sample(t, x_t), 0.0) / alpha + per_sample(self.error * t, x_t)


def told(count, behind=None):
    """Give what is told of so many samples: nothing, where so much of the run is behind."""
    seeds = Seeds(3, torch.arange(count))
    if behind is None:
        return Told(None, None, None, seeds)
    return ToldWhen(None, None, None, seeds, torch.full((count,), behind, dtype=torch.float64))


def batch(count=64):
    """Give data, times from all of (0, 1), and noise."""
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, count, 1, generator=generator, dtype=torch.float64)
    t = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return x0, t, eps


@pytest.fixture
def exact():
    """What is known exactly."""
    return SimpleNamespace(
        Teacher=ExactTeacher, FlowMap=ExactFlowMap, ConsistencyFunction=ConsistencyFunction, told=told, batch=batch
    )
