"""Mean and variance that stochastic samplers arrive at, exactly: on Gaussian data every step is affine.

So is a whole run, x = shift + slope x_t + sum_k spread_k z_k, whatever is carried from step to step; one batch measures
it, whose first sample has neither state nor noise, whose second has the state 1, and whose others have one draw each.
"""

import numpy as np
import pytest
import torch

from polydiff.plugins.builtin import polydiff_samplers
from polydiff.plugins.factory import sampler

CLAIMS = [(spec.name, {}, spec.order) for spec in polydiff_samplers() if spec.stochastic and spec.order]
OPTIONS = [
    ("ddpm", {"variance": "large"}, 1),
    ("ddim", {"eta": 0.5}, 1),
    ("ddim", {"eta": 1.0}, 1),
    ("dpm++2m-sde", {"eta": 0.5}, 2),
    ("heun", {"s_churn": 8.0}, 2),
    ("er-sde", {"eta": 1.0}, 2),
    ("er-sde", {"eta": 1.0, "order": 1}, 1),
    ("restart", {"t_min": 0.2, "t_max": 1.5, "repeats": 3}, 2),
]
STEPS = (40, 80, 160)


class Draws:
    """Stands for seeds. Counts the draws of a run, or gives each to a sample of its own."""

    def __init__(self):
        self.seen = {}

    def normal(self, shape, *, stream, step, device, dtype):
        column = 2 + self.seen.setdefault(step, len(self.seen))
        return (torch.arange(max(self.batch, column + 1)) == column)[: self.batch].to(dtype)


def _affine(method, oracle, grid):
    """Give shift and slope, (), and spread, one for each draw of the run."""
    draws = Draws()
    draws.batch = 2
    method.sample(oracle, torch.zeros(2, dtype=torch.float64), times=grid, seeds=draws)
    draws.batch = 2 + len(draws.seen)
    x = torch.zeros(draws.batch, dtype=torch.float64)
    x[1] = 1
    x = method.sample(oracle, x, times=grid, seeds=draws)
    return x[0], x[1] - x[0], x[2:] - x[0]


def _errors(method, oracle, grid):
    """Give how far mean and variance are from the exact ones, as shares of the exact standard deviation."""
    shift, slope, spread = _affine(method, oracle, grid)
    (mean, variance), (exact_mean, exact_variance) = oracle.moments(grid[0]), oracle.moments(grid[-1])
    mean_error = abs(shift + slope * mean - exact_mean) / exact_variance.sqrt()
    variance_error = abs(slope**2 * variance + spread.square().sum() - exact_variance) / exact_variance
    return mean_error.item(), variance_error.item()


@pytest.mark.parametrize(
    ("name", "options", "order"),
    CLAIMS + OPTIONS,
    ids=lambda value: ",".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_samplers_bring_mean_and_variance_to_the_exact_ones(name, options, order, gaussian, even):
    method = sampler(name, **options)
    means, variances = zip(*(_errors(method, gaussian, even(n)) for n in STEPS), strict=True)
    slope = -np.polyfit(np.log(STEPS), np.log(variances), 1)[0]
    assert slope == pytest.approx(order, abs=0.2)
    assert variances[-1] < 0.05
    assert max(means) < 1e-9  # a trajectory that starts at the exact mean stays there, for any number of steps


def test_draws_that_a_run_does_not_make_have_no_part_in_it(gaussian, even):
    shift, slope, spread = _affine(sampler("ddim"), gaussian, even(4))
    assert spread.shape == (0,)
    x_t = torch.tensor(0.4, dtype=torch.float64)
    torch.testing.assert_close(shift + slope * x_t, sampler("ddim").sample(gaussian, x_t, times=even(4)))
