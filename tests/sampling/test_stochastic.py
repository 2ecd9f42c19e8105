"""Mean and variance that stochastic samplers arrive at, exactly: on Gaussian data every step is affine."""

import pytest
import torch

from polydiff.plugins.builtin import polydiff_samplers
from polydiff.plugins.factory import sampler
from polydiff.verification.convergence import order
from polydiff.verification.moments import affine, moment_convergence

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


@pytest.mark.parametrize(
    ("name", "options", "claimed"),
    CLAIMS + OPTIONS,
    ids=lambda value: ",".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_samplers_bring_mean_and_variance_to_the_exact_ones(name, options, claimed, schedule):
    means, variances = moment_convergence(sampler(name, **options), schedule, STEPS)
    assert order(STEPS, variances) == pytest.approx(claimed, abs=0.2)
    assert variances[-1] < 0.05
    assert max(means) < 1e-9  # a trajectory that starts at the exact mean stays there, for any number of steps


def test_draws_that_a_run_does_not_make_have_no_part_in_it(gaussian, even):
    (*_, last), _ = affine(sampler("ddim"), gaussian, even(4))
    assert last.spread.shape == (0,)
    x_t = torch.tensor(0.4, dtype=torch.float64)
    torch.testing.assert_close(last.shift + last.slope * x_t, sampler("ddim").sample(gaussian, x_t, times=even(4)))
