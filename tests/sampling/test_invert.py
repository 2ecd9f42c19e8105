"""Inversion: from data to the noise that it is made of, at the order of the sampler."""

import pytest
import torch

import polydiff
from polydiff.core.condition import Condition
from polydiff.core.noise import Seeds
from polydiff.core.oracle import Mixture
from polydiff.core.schedule import EDM, Cosine, Flow, Linear
from polydiff.errors import UsageError
from polydiff.plugins.builtin import polydiff_samplers
from polydiff.verification.convergence import order
from polydiff.verification.known import FAMILIES, even, gaussian, problem

DETERMINISTIC = [spec.name for spec in polydiff_samplers() if not spec.stochastic]
STEPS = (40, 80, 160)


@pytest.mark.parametrize("family", ["cosine", "edm"])
@pytest.mark.parametrize(
    ("name", "claimed"), [("ddim", 1), ("heun", 2), ("dpm++2m", 2), ("dpm-solver-3", 3), ("unipc", 3)]
)
def test_latents_and_round_trips_converge_at_the_order_of_the_sampler(name, claimed, family):
    known, method = problem(family), polydiff.sampler(name)
    latent_errors, round_trip_errors = [], []
    for steps in STEPS:
        times = even(known.schedule, steps)
        x_s, x_t = known.exact(times[0], times[-1]), known.noise(times[0])
        latent = polydiff.invert(known.oracle, x_s, sampler=name, times=times.flip(0))
        again = method.sample(known.oracle, latent, times=times)
        latent_errors.append((latent - x_t).abs().median().item())
        round_trip_errors.append((again - x_s).abs().median().item())
    assert order(STEPS, latent_errors) == pytest.approx(claimed, abs=0.2)
    assert order(STEPS, round_trip_errors) == pytest.approx(claimed, abs=0.2)
    assert round_trip_errors[-1] < 0.015


@pytest.mark.parametrize("family", FAMILIES)
def test_ddim_is_ddims_inversion(family):
    known = problem(family)
    s, t = even(known.schedule, 1).flip(0)
    (alpha_s, sigma_s), (alpha_t, sigma_t) = known.schedule(s), known.schedule(t)
    x_s = torch.linspace(-1, 1.5, 9, dtype=torch.float64)
    x0 = known.oracle(x_s, s)
    expected = alpha_t * x0 + sigma_t * (x_s - alpha_s * x0) / sigma_s
    torch.testing.assert_close(polydiff.invert(known.oracle, x_s, sampler="ddim", times=[s, t]), expected)


@pytest.mark.parametrize("schedule", [*FAMILIES.values(), Linear(zero_terminal_snr=True)], ids=type)
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_every_deterministic_sampler_goes_all_the_way(name, schedule):
    oracle = gaussian(schedule)
    x_0 = torch.tensor([0.1, 0.7, 1.4], dtype=torch.float64)
    exact = oracle.flow(x_0, 0.0, 1.0)
    for grid in ("half-log-snr", "t"):
        x_1 = polydiff.invert(oracle, x_0, sampler=name, steps=30, grid=grid)
        tolerance = 0.25 if name in {"ddim", "euler"} else 0.15
        assert (x_1 - exact).abs().max() < tolerance * schedule(1.0)[1]


def test_the_round_trip_comes_back_under_guidance():
    means, stds, weights = torch.tensor([[-1.0, 2.0], [0.4, 0.6], [0.3, 0.7]], dtype=torch.float64)
    data = Mixture(means, stds, weights, Flow())
    guided = polydiff.guidance("cfg", data, scale=1.5)
    cond = Condition(vector=torch.tensor([[0.0, 1.0]], dtype=torch.float64).expand(5, 2))
    x_0 = torch.linspace(1, 3, 5, dtype=torch.float64)
    x_1 = polydiff.invert(guided, x_0, steps=80, cond=cond)
    again = polydiff.sampler("dpm++2m").sample(guided, x_1, steps=80, cond=cond)
    torch.testing.assert_close(again, x_0, rtol=0, atol=5e-3)
    assert (polydiff.sampler("dpm++2m").sample(guided, x_1, steps=80) - x_0).abs().max() > 0.1


def test_guidance_follows_the_inversion():
    """Each step of CFG++ has a scale of its own: that of the inversion's steps, not of the sampler's."""
    means, stds, weights = torch.tensor([[-1.0, 2.0], [0.4, 0.6], [0.3, 0.7]], dtype=torch.float64)
    data = Mixture(means, stds, weights, Cosine())
    guided = polydiff.guidance("cfg++", data, scale=0.6)
    cond = Condition(vector=torch.tensor([[0.0, 1.0]], dtype=torch.float64))
    x_s, (s, t) = torch.tensor([1.4], dtype=torch.float64), torch.tensor([0.3, 0.5], dtype=torch.float64)
    (alpha_s, sigma_s), (alpha_t, sigma_t) = data.schedule(s), data.schedule(t)
    c, u = data(x_s, s, cond), data(x_s, s)
    expected = alpha_t * (u + 0.6 * (c - u)) + sigma_t * (x_s - alpha_s * u) / sigma_s
    torch.testing.assert_close(polydiff.invert(guided, x_s, sampler="ddim", times=[s, t], cond=cond), expected)


def test_precision_and_shape_are_kept():
    oracle = gaussian(Cosine())
    assert polydiff.invert(oracle, torch.zeros(2, 3, 4), steps=3).shape == (2, 3, 4)
    assert polydiff.invert(oracle, torch.zeros(2, 3), steps=3).dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 3, "sampler": "ddpm"}, "needs a deterministic sampler; 'ddpm' is not, ddim, "),
        ({"steps": 3, "sampler": "dddim"}, "did you mean 'ddim'"),
        ({"steps": 3, "times": [0.0, 1.0]}, "either steps or times"),
        ({}, "either steps or times"),
        ({"times": [1.0, 0.0]}, "each larger than the one before"),
        ({"times": [0.1]}, "at least two numbers"),
    ],
)
def test_senseless_inversions_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        polydiff.invert(gaussian(EDM()), torch.zeros(2), **options)


def test_samplers_that_draw_noise_by_option_are_refused():
    with pytest.raises(UsageError, match="this sampler draws noise; choose another"):
        polydiff.invert(gaussian(Flow()), torch.zeros(2), sampler=polydiff.sampler("ddim", eta=0.5), steps=4)


def test_slerp_keeps_the_length_of_noise_and_its_ends():
    a, b = (Seeds(seed, range(4)).normal((3, 50), stream=0, dtype=torch.float64) for seed in (0, 1))
    torch.testing.assert_close(polydiff.slerp(a, b, 0.0), a)
    torch.testing.assert_close(polydiff.slerp(a, b, 1.0), b)
    halfway = polydiff.slerp(a, b, 0.5).flatten(1).norm(dim=1)
    lengths = (a.flatten(1).norm(dim=1) + b.flatten(1).norm(dim=1)) / 2
    torch.testing.assert_close(halfway, lengths, rtol=0.02, atol=0)
    assert (((a + b) / 2).flatten(1).norm(dim=1) < 0.8 * lengths).all()


def test_slerp_moves_at_an_even_angle():
    a, b = torch.tensor([[2.0, 0.0], [0.0, 1.0]]).double(), torch.tensor([[1.0, 1.0], [0.0, 3.0]]).double()
    between = polydiff.slerp(a, b, torch.tensor([1 / 3, 0.25], dtype=torch.float64))
    theta = torch.tensor(torch.pi / 4, dtype=torch.float64)
    expected = (torch.sin(2 / 3 * theta) * a[0] + torch.sin(theta / 3) * b[0]) / torch.sin(theta)
    torch.testing.assert_close(between[0], expected)
    torch.testing.assert_close(between[1], torch.tensor([0.0, 1.5], dtype=torch.float64))  # of one direction: a line


def test_slerp_between_opposites_is_refused():
    with pytest.raises(UsageError, match="opposite"):
        polydiff.slerp(torch.ones(1, 3), -2 * torch.ones(1, 3), 0.5)
