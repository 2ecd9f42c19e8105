"""Every deterministic sampler's order of convergence, measured against the exact flow of a 1-D mixture in float64."""

import numpy as np
import pytest
import torch

from polydiff.plugins.builtin import polydiff_samplers
from polydiff.plugins.factory import sampler
from polydiff.sampling.sampler import levels

CLAIMS = [(spec.name, {}, spec.order) for spec in polydiff_samplers() if spec.order and not spec.stochastic]
OPTIONS = [
    ("dpm++3m", {"published": True}, 2),
    ("unipc", {"order": 1}, 2),
    ("unipc", {"order": 2, "variant": "bh1"}, 3),
    ("unipc", {"order": 3}, 4),
    ("deis", {"order": 2}, 2),
    ("er-sde", {"eta": 0.0}, 3),
    ("deis", {"order": 2, "variable": "rho"}, 2),
    ("deis", {"order": 3, "variable": "log-rho"}, 3),
]
STEPS = (60, 120, 240)
WARM_UP = 3


def _walk(method, oracle, x_t, grid):
    """Start from exact values: after an inexact start a method of third order is seen to be of second."""
    path = levels(oracle.schedule, grid)
    carry, start = method.begin(path), x_t
    for index, (t, s) in enumerate(zip(path, path[1:], strict=False)):
        step = method.step(oracle, x_t, t, s, cond=None, carry=carry, noise=None)
        x_t, carry = (step.x_s if index >= WARM_UP else oracle.flow(start, grid[0], grid[index + 1])), step.carry
    return x_t


@pytest.fixture
def errors(mixture, even, schedule):
    """Give a sampler's median error over trajectories from all over the prior, for each of `STEPS`."""
    start, end = even(1)
    alpha, sigma = schedule(start)
    x_t = torch.linspace(-2.5, 2.5, 101, dtype=torch.float64) * (alpha**2 + sigma**2).sqrt()
    exact = mixture.flow(x_t, start, end)

    def measure(method):
        return [(_walk(method, mixture, x_t, even(n)) - exact).abs().median().item() for n in STEPS]

    return measure


@pytest.mark.parametrize(
    ("name", "options", "order"),
    CLAIMS + OPTIONS,
    ids=lambda value: ",".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_samplers_converge_at_the_order_that_they_claim(name, options, order, errors):
    measured = errors(sampler(name, **options))
    slope = -np.polyfit(np.log(STEPS), np.log(measured), 1)[0]
    assert slope == pytest.approx(order, abs=0.2)
    assert measured[-1] < 0.01
