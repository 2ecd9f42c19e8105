"""Part of a sample given: exact there, and elsewhere what the exact conditional distribution says."""

import pytest
import torch

import polydiff
from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.given import Given, Known
from polydiff.core.noise import PRIOR, Seeds
from polydiff.sampling.sampler import prior

SEEDS = Seeds(3, range(64))


class Pairs(Denoiser):
    """Two numbers of unit variance and correlation `rho`: E[x_0 | x_t] of a Gaussian, (B, 2)."""

    def __init__(self, schedule, rho):
        super().__init__()
        self.schedule = schedule
        self.cov = torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64)

    def forward(self, x_t, t, cond=None):
        alpha, sigma = (float(c) for c in self.schedule(t))
        noisy = alpha**2 * self.cov + sigma**2 * torch.eye(2, dtype=torch.float64)
        return x_t @ (alpha * self.cov @ torch.linalg.inv(noisy)).T


def known(value=1.5):
    return Known(torch.tensor([value, -99.0], dtype=torch.float64), torch.tensor([True, False]))


@pytest.mark.parametrize("name", ["ddim", "dpm++2m", "heun", "restart", "dpm++2m-sde"])
@pytest.mark.parametrize("schedule", ["cosine", "flow", "edm"])
def test_what_is_known_comes_out_exactly(name, schedule):
    path = polydiff.schedule(schedule)
    x_1 = prior(path, SEEDS, (2,)).double()
    x = polydiff.sampler(name).sample(Given(Pairs(path, 0.9), known(), SEEDS), x_1, steps=12, seeds=SEEDS)
    torch.testing.assert_close(x[:, 0], torch.full((64,), 1.5, dtype=torch.float64), atol=0.01, rtol=0)
    assert x[:, 1].std() > 0.1


def test_along_a_deterministic_path_nothing_is_replaced():
    """The state of what is known is alpha x_0 + sigma eps by itself, for eps is that of the prior."""
    path = polydiff.schedule("flow")
    eps = SEEDS.normal((2,), stream=PRIOR, dtype=torch.float64)
    seen = []

    def watch(step):
        seen.append((step.x_s[:, 0] - step.s.alpha * 1.5 - step.s.sigma * eps[:, 0]).abs().max())

    polydiff.sampler("ddim").sample(Given(Pairs(path, 0.9), known(), SEEDS), eps, steps=7, on_step=watch)
    assert len(seen) == 7
    assert max(seen) < 1e-12


def test_the_rest_goes_with_what_is_known():
    """The rest is 0.8 times what is known, on average; going back to noise and down again comes nearer to that."""
    path, seeds = polydiff.schedule("cosine"), Seeds(0, range(2000))
    x_1 = prior(path, seeds, (2,)).double()
    mean = {}
    for value in (-1.5, 0.0, 1.5):
        x = polydiff.sampler("ddim").sample(Given(Pairs(path, 0.8), known(value), seeds), x_1, steps=40)
        mean[value] = float(x[:, 1].mean())
    assert mean[-1.5] < -0.4 < abs(mean[0.0]) + 0.3 < 0.4 < mean[1.5] < 1.2
    again = polydiff.sampler("restart", repeats=8)
    x = again.sample(Given(Pairs(path, 0.8), known(), seeds), x_1, steps=20, seeds=seeds)
    assert mean[1.5] + 0.2 < x[:, 1].mean() < 1.25


def test_each_sample_may_be_given_something_else():
    path = polydiff.schedule("flow")
    each = torch.arange(4, dtype=torch.float64)[:, None].expand(4, 2)
    seeds = Seeds(0, range(4))
    given = Given(Pairs(path, 0.5), Known(each, torch.tensor([True, False])), seeds)
    x0 = given(torch.zeros(4, 2, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64), None)
    assert x0[:, 0].tolist() == [0, 1, 2, 3]


def test_the_denoiser_sees_known_values_at_the_level_of_noise_and_the_condition():
    class Recording(Denoiser):
        schedule = polydiff.schedule("flow")

        def forward(self, x_t, t, cond=None):
            self.seen, self.cond = x_t, cond
            return x_t

    inner, cond = Recording(), Condition(vector=torch.ones(64, 3))
    x_t = torch.full((64, 2), 7.0)
    Given(inner, Known(torch.tensor([2.0, 0.0]), torch.tensor([True, False])), SEEDS)(x_t, torch.tensor(0.25), cond)
    eps = SEEDS.normal((2,), stream=PRIOR)
    torch.testing.assert_close(inner.seen[:, 0], 0.75 * 2 + 0.25 * eps[:, 0])
    assert torch.equal(inner.seen[:, 1], x_t[:, 1])
    assert inner.cond is cond
