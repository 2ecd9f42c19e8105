"""What samplers give exactly, for any number of steps, and which of them are the same."""

import pytest
import torch

from polydiff.core.noise import Seeds
from polydiff.core.oracle import Gaussian, Mixture
from polydiff.core.schedule import Cosine, Flow
from polydiff.plugins.builtin import polydiff_samplers
from polydiff.plugins.factory import sampler
from polydiff.sampling.sampler import prior

DETERMINISTIC = [spec.name for spec in polydiff_samplers() if not spec.stochastic]


@pytest.mark.parametrize("name", DETERMINISTIC)
@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_the_path_of_a_point_is_exact(name, steps, point, even):
    x_t = torch.tensor([1.9, -0.4], dtype=torch.float64)
    times = even(steps)
    exact = point.flow(x_t, times[0], times[-1])
    torch.testing.assert_close(sampler(name).sample(point, x_t, times=times), exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_noise_arrives_at_a_point_at_the_end(name, point):
    x_1 = torch.tensor([1.9, -0.4], dtype=torch.float64) * float(point.schedule(1.0)[1])
    for grid in ("t", "half-log-snr"):
        x_0 = sampler(name).sample(point, x_1, steps=7, grid=grid)
        torch.testing.assert_close(x_0, point.flow(x_1, 1.0, 0.0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "options", "other", "others"),
    [
        ("ddim", {"eta": 1.0}, "ddpm", {}),
        ("euler", {}, "ddim", {}),
        ("euler-ancestral", {}, "ddim", {"eta": 1.0}),
        ("dpm++2m-sde", {"eta": 0.0}, "dpm++2m", {}),
        ("er-sde", {"order": 1, "eta": 0.0}, "ddim", {}),
        ("er-sde", {"order": 1, "eta": 1.0}, "ddpm", {}),
        ("deis", {"order": 4, "variable": "rho"}, "lms", {}),
        ("deis", {"order": 1}, "ddim", {}),
        ("ipndm", {"order": 1}, "ddim", {}),
    ],
)
def test_some_are_the_same(name, options, other, others, mixture, even):
    x_t, seeds = torch.linspace(-2, 2, 9, dtype=torch.float64), Seeds(0, range(9))
    ours = sampler(name, **options).sample(mixture, x_t, times=even(6), seeds=seeds)
    theirs = sampler(other, **others).sample(mixture, x_t, times=even(6), seeds=seeds)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_ipndm_is_lms_where_the_steps_are_even_in_the_noise_level(mixture):
    rho = torch.linspace(4, 0.1, 9, dtype=torch.float64)
    times = mixture.schedule.time(-2 * rho.log())
    x_t = torch.linspace(-2, 2, 9, dtype=torch.float64)
    ours, theirs = (sampler(name).sample(mixture, x_t, times=times) for name in ("ipndm", "lms"))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


class ConsistencyFunction(Gaussian):
    """Maps x_t to the end of its trajectory."""

    def forward(self, x_t, t, cond=None):
        return self.flow(x_t, t, torch.tensor(0.0, dtype=torch.float64))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_consistency_keeps_the_distribution(steps):
    oracle = ConsistencyFunction(*torch.tensor([0.7, 0.4], dtype=torch.float64), Cosine())
    seeds = Seeds(0, range(50_000))
    x_0 = sampler("consistency").sample(oracle, prior(oracle.schedule, seeds, (1,)).double(), steps=steps, seeds=seeds)
    assert x_0.mean().item() == pytest.approx(0.7, abs=0.008)
    assert x_0.std().item() == pytest.approx(0.4, rel=0.015)


def test_consistency_of_a_mean_lacks_variance():
    oracle = Gaussian(*torch.tensor([0.7, 0.4], dtype=torch.float64), Cosine())
    seeds = Seeds(0, range(5000))
    x_0 = sampler("consistency").sample(oracle, prior(oracle.schedule, seeds, (1,)).double(), steps=2, seeds=seeds)
    assert x_0.std() < 0.35


def test_euler_is_eulers_method_on_edms_ode(gaussian, even):
    t, s = even(1)
    (alpha_t, sigma_t), (alpha_s, sigma_s) = gaussian.schedule(t), gaussian.schedule(s)
    y_t = torch.tensor([0.9], dtype=torch.float64)
    slope = (y_t - gaussian(alpha_t * y_t, t)) / (sigma_t / alpha_t)
    y_s = y_t + (sigma_s / alpha_s - sigma_t / alpha_t) * slope
    torch.testing.assert_close(sampler("euler").sample(gaussian, alpha_t * y_t, times=[t, s]), alpha_s * y_s)


def test_euler_is_eulers_method_on_straight_paths():
    schedule = Flow()
    oracle = Gaussian(torch.tensor(0.7, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64), schedule)
    x_t = torch.tensor([0.9], dtype=torch.float64)
    t, s = 0.6, 0.45
    velocity = (x_t - oracle(x_t, torch.tensor(t, dtype=torch.float64))) / t
    torch.testing.assert_close(sampler("euler").sample(oracle, x_t, times=[t, s]), x_t + (s - t) * velocity)


def test_deis_does_not_extrapolate_to_where_log_rho_is_infinite():
    numbers = [[-1.0, 0.3, 1.2], [0.25, 0.15, 0.3], [0.4, 0.35, 0.25]]
    oracle = Mixture(*torch.tensor(numbers, dtype=torch.float64), Cosine())
    x_1 = torch.linspace(-2.5, 2.5, 51, dtype=torch.float64)
    x_0 = sampler("deis", variable="log-rho").sample(oracle, x_1, steps=10, grid="t")
    assert (x_0 - oracle.flow(x_1, 1.0, 0.0)).square().mean().sqrt() < 0.1  # 0.17 when it does
