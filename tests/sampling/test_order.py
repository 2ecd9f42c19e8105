"""Every sampler's order of convergence, measured against the exact answer in float64.

Deterministic samplers against the exact flow map of a 1-D mixture; stochastic ones by the exact propagation of mean
and variance of Gaussian data, whose every step is affine and so is probed at (x, noise) in {(0, 0), (1, 0), (0, 1)}.
"""

import math

import numpy as np
import pytest
import torch

from polydiff.core.oracle import Gaussian, Mixture
from polydiff.core.schedule import EDM, Cosine, Flow, Linear
from polydiff.sampling.ddim import DDIM
from polydiff.sampling.ddpm import DDPM
from polydiff.sampling.dpmpp_2m import DPMpp2M
from polydiff.sampling.sampler import levels

SCHEDULES = {"linear": Linear(), "cosine": Cosine(), "edm": EDM(), "flow": Flow()}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
# Noise-to-signal from 10 to 0.05: inside every schedule, above sigma_min.
HALF_LOG_SNR = (-math.log(10), -math.log(0.05))
STEPS = (40, 80, 160, 320)


def _grid(schedule, steps):
    return schedule.time(2 * torch.linspace(*HALF_LOG_SNR, steps + 1, dtype=torch.float64))


def _slope(errors):
    return -np.polyfit(np.log(STEPS), np.log(errors), 1)[0]


@every_schedule
@pytest.mark.parametrize(
    ("sampler", "order", "tolerance"),
    [(DDIM(), 1.0, 0.15), (DPMpp2M(), 2.0, 0.2)],
    ids=["ddim", "dpm++2m"],
)
def test_deterministic_samplers_converge_at_their_order(sampler, order, tolerance, schedule):
    oracle = Mixture(
        torch.tensor([-1.0, 0.3, 1.2], dtype=torch.float64),
        torch.tensor([0.25, 0.15, 0.3], dtype=torch.float64),
        torch.tensor([0.4, 0.35, 0.25], dtype=torch.float64),
        schedule,
    )
    start, end = _grid(schedule, 1)
    alpha, sigma = schedule(start)
    x_t = torch.linspace(-2.5, 2.5, 101, dtype=torch.float64) * (alpha**2 + sigma**2).sqrt()
    exact = oracle.flow(x_t, start, end)
    errors = [(sampler.sample(oracle, x_t, times=_grid(schedule, n)) - exact).abs().median().item() for n in STEPS]
    assert _slope(errors) == pytest.approx(order, abs=tolerance)
    assert errors[-1] < 0.01


@every_schedule
@pytest.mark.parametrize(
    "sampler",
    [DDPM(), DDPM(variance="large"), DDIM(eta=0.5), DDIM(eta=1.0)],
    ids=["ddpm", "ddpm-large", "ddim-0.5", "ddim-1"],
)
def test_stochastic_samplers_bring_mean_and_variance_to_the_exact_ones(sampler, schedule):
    oracle = Gaussian(torch.tensor(0.7, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64), schedule)
    mean_errors, variance_errors = [], []
    for n in STEPS:
        grid = _grid(schedule, n)
        mean, variance = oracle.moments(grid[0])
        path = levels(schedule, grid)
        for t, s in zip(path, path[1:], strict=False):
            shift, slope, spread = _affine(sampler, oracle, t, s)
            mean, variance = shift + slope * mean, slope**2 * variance + spread**2
        exact_mean, exact_variance = oracle.moments(grid[-1])
        mean_errors.append(abs(mean - exact_mean).item())
        variance_errors.append(abs(variance - exact_variance).item())
    assert _slope(variance_errors) == pytest.approx(1.0, abs=0.15)
    assert variance_errors[-1] < 0.02 * exact_variance
    assert mean_errors[-1] < 0.02
    assert mean_errors[-1] < 1e-9 or _slope(mean_errors) == pytest.approx(1.0, abs=0.15)


def _affine(sampler, oracle, t, s):
    def step(x, z):
        noise = torch.tensor([z], dtype=torch.float64)
        x_t = torch.tensor([x], dtype=torch.float64)
        return sampler.step(oracle, x_t, t, s, cond=None, carry=None, noise=lambda: noise).x_s

    origin = step(0.0, 0.0)
    return origin, step(1.0, 0.0) - origin, step(0.0, 1.0) - origin


def test_ddim_with_full_noise_is_ddpm():
    schedule = Cosine()
    oracle = Gaussian(torch.tensor(0.7, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64), schedule)
    path = levels(schedule, _grid(schedule, 5))
    for t, s in zip(path, path[1:], strict=False):
        for ddim, ddpm in zip(_affine(DDIM(eta=1.0), oracle, t, s), _affine(DDPM(), oracle, t, s), strict=True):
            torch.testing.assert_close(ddim, ddpm, rtol=1e-10, atol=1e-12)


def test_ddim_on_flow_is_eulers_method():
    schedule = Flow()
    oracle = Gaussian(torch.tensor(0.7, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64), schedule)
    x_t = torch.tensor([0.9], dtype=torch.float64)
    t, s = 0.6, 0.45
    velocity = (x_t - oracle(x_t, torch.tensor(t, dtype=torch.float64))) / t
    torch.testing.assert_close(DDIM().sample(oracle, x_t, times=[t, s]), x_t + (s - t) * velocity)


@every_schedule
def test_ddim_is_exact_for_a_point_mass(schedule):
    oracle = Gaussian(torch.tensor(0.7, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64), schedule)
    x_t = torch.tensor([1.9], dtype=torch.float64)
    times = _grid(schedule, 3)
    torch.testing.assert_close(DDIM().sample(oracle, x_t, times=times), oracle.flow(x_t, times[0], times[-1]))
