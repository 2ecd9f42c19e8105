"""Known data on every family of schedules."""

import math

import pytest
import torch

from polydiff.core.oracle import Gaussian, Mixture
from polydiff.core.schedule import EDM, Cosine, Flow, Linear

SCHEDULES = {"linear": Linear(), "cosine": Cosine(), "edm": EDM(), "flow": Flow()}
# Noise-to-signal from 10 to 0.05: inside every schedule, above sigma_min.
HALF_LOG_SNR = (-math.log(10), -math.log(0.05))


@pytest.fixture(params=SCHEDULES)
def schedule(request):
    return SCHEDULES[request.param]


@pytest.fixture
def mixture(schedule):
    return Mixture(
        torch.tensor([-1.0, 0.3, 1.2], dtype=torch.float64),
        torch.tensor([0.25, 0.15, 0.3], dtype=torch.float64),
        torch.tensor([0.4, 0.35, 0.25], dtype=torch.float64),
        schedule,
    )


@pytest.fixture
def gaussian(schedule):
    return Gaussian(torch.tensor(0.7, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64), schedule)


@pytest.fixture
def point(schedule):
    return Gaussian(torch.tensor(0.7, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64), schedule)


@pytest.fixture
def even(schedule):
    """Give so many steps, even in lambda."""

    def grid(steps):
        return schedule.time(2 * torch.linspace(*HALF_LOG_SNR, steps + 1, dtype=torch.float64))

    return grid
