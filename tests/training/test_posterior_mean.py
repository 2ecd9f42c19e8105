"""What a noisy position stood for on average."""

import pytest
import torch

from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.prediction import prediction
from polydiff.core.schedule import Cosine
from polydiff.training.objective import Objective
from polydiff.training.posterior_mean import posterior_mean
from polydiff.training.times import Uniform
from polydiff.training.weighting import Constant


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def levels(*sigmas):
    sigma = torch.tensor(sigmas).view(-1, 1, 1)
    return (1 - sigma**2).sqrt(), sigma


def test_it_is_bayes_rule_over_the_clean_positions():
    x0, eps, (alpha, sigma) = draw(2, 3, 20), draw(2, 3, 20, seed=1), levels(0.3, 0.8)
    mean, left = posterior_mean(x0, eps, alpha, sigma)
    for b in range(2):
        noisy, clean = (alpha * x0 + sigma * eps)[b].T, (alpha * x0)[b].T
        likelihood = torch.distributions.Normal(clean[None], sigma[b]).log_prob(noisy[:, None]).sum(2).exp()
        expected = likelihood @ x0[b].T / likelihood.sum(1, keepdim=True)
        torch.testing.assert_close(mean[b].T, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alpha * mean + sigma * left, alpha * x0 + sigma * eps)


def test_of_many_positions_it_is_what_the_best_network_says():
    """Of positions that are -1 or 1 alike, E[x_0 | x_t] = tanh(alpha x_t / sigma^2)."""
    x0, eps, (alpha, sigma) = draw(1, 1, 5000).sign(), draw(1, 1, 5000, seed=1), levels(0.6)
    mean, _ = posterior_mean(x0, eps, alpha, sigma)
    best = (alpha * (alpha * x0 + sigma * eps) / sigma**2).tanh()
    torch.testing.assert_close(mean, best, atol=0.05, rtol=0)
    assert (mean - best).square().mean() < 0.01 * (x0 - best).square().mean()


def test_without_noise_or_next_to_it_each_position_is_itself():
    x0, eps, (alpha, sigma) = draw(3, 3, 50), draw(3, 3, 50, seed=1), levels(0.0, 1e-6, 1e-3)
    mean, left = posterior_mean(x0, eps, alpha, sigma)
    assert torch.equal(mean, x0)
    assert torch.equal(left, eps)


def test_in_noise_alone_it_is_the_mean_of_all():
    x0, eps, (alpha, sigma) = draw(1, 3, 50), draw(1, 3, 50, seed=1), levels(1.0)
    mean, left = posterior_mean(x0, eps, alpha, sigma)
    torch.testing.assert_close(mean, x0.mean(2, keepdim=True).expand_as(x0))
    assert torch.equal(left, eps)


def test_padding_is_no_position():
    x0, eps, (alpha, sigma) = draw(1, 3, 10), draw(1, 3, 10, seed=1), levels(0.7)
    mask = (torch.arange(10) < 6).float().view(1, 1, 10)
    mean, _ = posterior_mean(x0, eps, alpha, sigma, mask)
    alone, _ = posterior_mean(x0[..., :6], eps[..., :6], alpha, sigma)
    torch.testing.assert_close(mean[..., :6], alone)


def test_autocast_changes_nothing():
    x0, eps, (alpha, sigma) = draw(1, 3, 50), draw(1, 3, 50, seed=1), levels(0.1)
    expected, _ = posterior_mean(x0, eps, alpha, sigma)
    with torch.autocast("cpu", torch.bfloat16):
        mean, _ = posterior_mean(x0, eps, alpha, sigma)
    assert torch.equal(mean, expected)


class Zero(torch.nn.Module):
    def forward(self, x, log_snr, cond=None):
        return torch.zeros_like(x)


@pytest.mark.parametrize("name", ["x0", "v"])
def test_an_objective_of_exchangeable_positions_teaches_it(name):
    denoiser = NetworkDenoiser(Zero(), Cosine(s=0.0), prediction(name))
    x0, eps = draw(2, 3, 20), draw(2, 3, 20, seed=1)
    t = torch.tensor([0.3, 0.6], dtype=torch.float64)
    alpha, sigma = (c.float().view(-1, 1, 1) for c in denoiser.schedule(t))
    losses = Objective(Uniform(), Constant(), exchangeable=True).losses(denoiser, x0, t, eps)
    target = denoiser.prediction.target(*posterior_mean(x0, eps, alpha, sigma), alpha, sigma)
    torch.testing.assert_close(losses, target.square().flatten(1).mean(1))
