"""The variances of DDPM: the true one makes ancestral sampling exact where the posterior is Gaussian."""

import pytest
import torch

from polydiff.core.denoiser import Denoiser
from polydiff.core.noise import Seeds
from polydiff.errors import UsageError
from polydiff.plugins.factory import guidance, sampler
from polydiff.verification.moments import affine


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_learned_variance_is_exact_on_gaussian_data_in_any_number_of_steps(steps, gaussian, even):
    times = even(steps)
    mean, variance = gaussian.moments(times[0])
    *_, last = affine(sampler("ddpm", variance="learned"), gaussian, times)[0]
    reached = last.moments(mean, variance)
    torch.testing.assert_close(reached, gaussian.moments(times[-1]), rtol=1e-9, atol=0)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_fixed_variances_are_not(variance, gaussian, even):
    times = even(2)
    *_, last = affine(sampler("ddpm", variance=variance), gaussian, times)[0]
    _, reached = last.moments(*gaussian.moments(times[0]))
    assert abs(reached / gaussian.moments(times[-1])[1] - 1) > 0.05


def test_the_variance_of_a_mixture_is_that_of_its_posterior(mixture):
    t = torch.tensor(0.4, dtype=torch.float64)
    alpha, sigma = mixture.schedule(t)
    x_t = torch.linspace(-2, 2, 9, dtype=torch.float64) * (alpha**2 + sigma**2).sqrt()
    x0 = torch.linspace(-6, 6, 200_001, dtype=torch.float64)
    prior = (mixture.log_weights + torch.distributions.Normal(mixture.means, mixture.stds).log_prob(x0[:, None])).exp()
    weight = prior.sum(1) * torch.exp(-((x_t[:, None] - alpha * x0) ** 2) / (2 * sigma**2))
    weight /= weight.sum(1, keepdim=True)
    mean = (weight * x0).sum(1, keepdim=True)
    expected = (weight * (x0 - mean) ** 2).sum(1)
    torch.testing.assert_close(mixture.variance(x_t, t), expected, rtol=1e-7, atol=1e-12)


def test_a_denoiser_without_variance_says_so(gaussian, even):
    class Mean(Denoiser):
        def __init__(self):
            super().__init__()
            self.schedule = gaussian.schedule

        def forward(self, x_t, t, cond=None):
            return gaussian(x_t, t, cond)

    guided = guidance("cfg", Mean(), scale=2.0)
    with pytest.raises(UsageError, match="Mean estimates x_0 alone and has no variance; use variance 'small'"):
        sampler("ddpm", variance="learned").sample(guided, torch.zeros(2), times=even(2), seeds=Seeds(0, range(2)))
