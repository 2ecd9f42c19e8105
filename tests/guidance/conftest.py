"""A mixture whose calls are counted, on each schedule, and a batch of states of it."""

import pytest
import torch

import polydiff
from polydiff.core.oracle import Mixture

SCHEDULES = ("linear", "cosine", "edm", "flow")
COMPONENTS = (0, 1, 2, 1)


class Counting(Mixture):
    calls = 0
    rows = 0

    def forward(self, x_t, t, cond=None):
        self.calls += 1
        self.rows += len(x_t)
        return super().forward(x_t, t, cond)


def mixture(schedule, spread=1.0):
    means = torch.tensor([[-1.0, 0.5], [1.0, 0.0], [0.3, 2.0]], dtype=torch.float64)
    stds = spread * torch.tensor([0.3, 0.4, 0.5], dtype=torch.float64)
    return Counting(means, stds, torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64), polydiff.schedule(schedule))


@pytest.fixture(params=SCHEDULES)
def oracle(request):
    return mixture(request.param)


@pytest.fixture
def cond():
    """One component for each of four samples."""
    return polydiff.Condition(vector=torch.eye(3, dtype=torch.float64)[list(COMPONENTS)])


@pytest.fixture
def states(oracle):
    """(t, x_t) from almost no noise to almost nothing else."""
    generator = torch.Generator().manual_seed(0)

    def draw(t):
        alpha, sigma = oracle.schedule(t)
        return alpha * oracle.sample(4, generator) + sigma * torch.randn(4, 2, generator=generator, dtype=torch.float64)

    return [(t, draw(t)) for t in torch.tensor([0.02, 0.3, 0.6, 0.9, 0.999], dtype=torch.float64)]


@pytest.fixture
def noise(oracle):
    """The states of four samples at t = 1."""
    return polydiff.prior(oracle.schedule, polydiff.Seeds(0, range(4)), (2,)).double()
