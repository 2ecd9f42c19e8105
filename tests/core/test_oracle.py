"""Oracles against quadrature, numerical derivatives and a brute-force solver."""

import pytest
import torch

from polydiff.core.condition import Condition
from polydiff.core.oracle import Gaussian, Mixture
from polydiff.core.schedule import EDM, Cosine, Flow, Linear
from polydiff.errors import UsageError

MEANS = torch.tensor([-1.5, 0.4, 2.0], dtype=torch.float64)
STDS = torch.tensor([0.3, 0.2, 0.5], dtype=torch.float64)
WEIGHTS = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)
SCHEDULES = {"linear": Linear(), "cosine": Cosine(), "edm": EDM(), "flow": Flow()}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())


@every_schedule
def test_mixture_is_the_posterior_mean_by_quadrature(schedule):
    oracle = Mixture(MEANS, STDS, WEIGHTS, schedule)
    grid = torch.linspace(-8, 8, 200001, dtype=torch.float64)
    prior = ((-((grid[:, None] - MEANS) ** 2) / (2 * STDS**2)).exp() / STDS * WEIGHTS).sum(1)
    x = torch.tensor([-2.0, -0.3, 0.9, 4.0], dtype=torch.float64)
    t = torch.tensor(0.4, dtype=torch.float64)
    alpha, sigma = schedule(t)
    joint = prior * (-((x[:, None] - alpha * grid) ** 2) / (2 * sigma**2)).exp()
    torch.testing.assert_close(oracle(x, t), (joint * grid).sum(1) / joint.sum(1), rtol=1e-7, atol=1e-7)


@every_schedule
def test_score_is_the_gradient_of_the_log_density(schedule):
    oracle = Mixture(MEANS[:, None], STDS, WEIGHTS, schedule)
    x = torch.linspace(-3, 3, 9, dtype=torch.float64)[:, None].requires_grad_()
    gradient = torch.autograd.grad(oracle.log_density(x, 0.3).sum(), x)[0]
    torch.testing.assert_close(oracle.score(x, 0.3), gradient)


def test_density_integrates_to_one():
    oracle = Mixture(MEANS, STDS, WEIGHTS, Cosine())
    x = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    assert torch.trapezoid(oracle.log_density(x, 0.5).exp(), x).item() == pytest.approx(1, abs=1e-9)


@every_schedule
def test_flow_agrees_with_small_steps_of_the_ode(schedule):
    oracle = Mixture(MEANS, STDS, WEIGHTS, schedule)
    grid = schedule.time(2 * torch.linspace(-2, 3, 4001, dtype=torch.float64))
    x = start = torch.linspace(-3, 3, 7, dtype=torch.float64) * schedule(grid[0])[1]
    for t, middle, s in zip(grid[:-2:2], grid[1:-1:2], grid[2::2], strict=True):
        x_m = _ddim(oracle, schedule, x, x, t, middle, t)
        x = _ddim(oracle, schedule, x, x_m, t, s, middle)
    torch.testing.assert_close(oracle.flow(start, grid[0], grid[-1]), x, rtol=0, atol=3e-6)
    torch.testing.assert_close(oracle.flow(oracle.flow(start, grid[0], 0.2), 0.2, grid[0]), start, rtol=1e-9, atol=1e-9)


def _ddim(oracle, schedule, x_t, x_m, t, s, m):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule(t), schedule(s)
    return sigma_s / sigma_t * x_t + (alpha_s - alpha_t * sigma_s / sigma_t) * oracle(x_m, m)


@every_schedule
def test_gaussian_is_a_mixture_of_one(schedule):
    mean, std = torch.tensor([0.7], dtype=torch.float64), torch.tensor([0.4], dtype=torch.float64)
    one, mixture = Gaussian(mean, std, schedule), Mixture(mean[:, None], std, torch.ones(1), schedule)
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    t = torch.full((7,), 0.6, dtype=torch.float64)
    torch.testing.assert_close(one(x, t), mixture(x, t))
    torch.testing.assert_close(one.flow(x, 0.8, 0.1), mixture.flow(x, 0.8, 0.1), rtol=1e-9, atol=1e-9)


def test_a_condition_picks_components_and_zeros_pick_none():
    oracle = Mixture(MEANS, STDS, WEIGHTS, Cosine())
    x, t = torch.tensor([0.1, 0.1], dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    cond = Condition(vector=torch.tensor([[0.0, 0, 1], [0, 0, 0]], dtype=torch.float64))
    alone = Mixture(MEANS[2:], STDS[2:], WEIGHTS[2:], Cosine())
    torch.testing.assert_close(oracle(x, t, cond), torch.stack([alone(x, t)[0], oracle(x, t)[1]]))


def test_samples_have_the_mixtures_moments():
    oracle = Mixture(MEANS[:, None], STDS, WEIGHTS, Cosine())
    x = oracle.sample(200_000, torch.Generator().manual_seed(0))
    p = WEIGHTS / WEIGHTS.sum()
    mean = (p * MEANS).sum()
    assert (x.mean() - mean).abs() < 0.01
    assert (x.var() - ((p * (STDS**2 + MEANS**2)).sum() - mean**2)).abs() < 0.02


def test_flow_in_more_dimensions_is_refused():
    oracle = Mixture(torch.zeros(2, 3), STDS[:2], WEIGHTS[:2], Cosine())
    with pytest.raises(UsageError, match="one dimension"):
        oracle.flow(torch.zeros(1, 3), 0.5, 0.1)
    with pytest.raises(UsageError, match="3 means, 2 stds"):
        Mixture(MEANS, STDS[:2], WEIGHTS, Cosine())
