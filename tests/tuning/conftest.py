"""A problem whose answer is known: a mixture, whose flow is exact."""

import pytest
import torch

from polydiff.core.oracle import Mixture
from polydiff.core.schedule import Cosine
from polydiff.tuning.problem import Problem


@pytest.fixture
def known():
    def problem(seed=0, schedule=None, samples=64):
        numbers = [[-1.0, 0.3, 1.2], [0.25, 0.15, 0.3], [0.4, 0.35, 0.25]]
        oracle = Mixture(*torch.tensor(numbers, dtype=torch.float64), schedule or Cosine())
        noise = torch.randn(samples, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        x_1 = noise * oracle.schedule(1.0)[1]
        return Problem(oracle, None, x_1, oracle.flow(x_1, 1.0, 0.0), 0, 0.0)

    return problem
