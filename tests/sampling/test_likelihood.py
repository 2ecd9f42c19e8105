"""Log-likelihood by the probability flow, against densities that are known."""

import math

import pytest
import torch

import polydiff
from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.noise import Seeds
from polydiff.core.oracle import Gaussian, Mixture
from polydiff.core.schedule import EDM, Cosine, Flow, Linear, Sigmoid
from polydiff.errors import UsageError
from polydiff.sampling.likelihood import dequantize
from polydiff.verification.convergence import order
from polydiff.verification.known import discrete, gaussian, mixture, shifted

SCHEDULES = {
    "linear": Linear(),
    "zero-terminal": Linear(zero_terminal_snr=True),
    "cosine": Cosine(),
    "sigmoid": Sigmoid(),
    "edm": EDM(),
    "flow": Flow(),
    "discrete": discrete(),
    "shifted": shifted(),
}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())


def space(schedule):
    """Give a mixture in three dimensions, whose Jacobians are full."""
    means = torch.tensor([[-1.0, 0.2, 0.4], [0.3, -0.6, 0.0], [1.2, 0.9, -0.8]], dtype=torch.float64)
    stds, weights = torch.tensor([[0.3, 0.2, 0.4], [0.4, 0.35, 0.25]], dtype=torch.float64)
    return Mixture(means, stds, weights, schedule)


def at_end(oracle, cond=None):
    return lambda x_1: oracle.log_density(x_1, 1.0, cond)


@every_schedule
def test_the_density_of_a_mixture_is_right_to_1e_4_nats_with_100_steps(schedule):
    oracle = mixture(schedule)
    x_0 = torch.linspace(-2.0, 2.2, 41, dtype=torch.float64)
    found = polydiff.log_likelihood(oracle, x_0, terminal=at_end(oracle))
    assert (found.log_density - oracle.log_density(x_0, 0.0)).abs().max() < 1e-4
    assert (found.x_1 - oracle.flow(x_0, 0.0, 1.0)).abs().max() < 1e-6 * schedule(1.0)[1]
    assert found.evaluations <= 400
    assert (found.std_error == 0).all()


@every_schedule
def test_the_default_terminal_density_is_exact_where_no_data_is_left(schedule):
    oracle = mixture(schedule)
    x_0 = torch.linspace(-2.0, 2.2, 41, dtype=torch.float64)
    found = polydiff.log_likelihood(oracle, x_0)
    error = (found.log_density - oracle.log_density(x_0, 0.0)).abs().max()
    if schedule(1.0)[0] == 0:
        assert error < 1e-4
    else:
        assert 2e-4 < error < 4e-3


def test_the_error_falls_with_the_fourth_power_of_the_steps():
    oracle = mixture(Cosine())
    x_0 = torch.linspace(-2.0, 2.2, 41, dtype=torch.float64)
    steps = (40, 80, 160)
    errors = [
        (polydiff.log_likelihood(oracle, x_0, steps=n).log_density - oracle.log_density(x_0, 0.0)).abs().max().item()
        for n in steps
    ]
    assert order(steps, errors) == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize("schedule", [EDM(), Flow()], ids=type)
def test_in_more_dimensions(schedule):
    oracle = space(schedule)
    x_0 = oracle.sample(6, torch.Generator().manual_seed(0))
    found = polydiff.log_likelihood(oracle, x_0, terminal=at_end(oracle))
    torch.testing.assert_close(found.log_density, oracle.log_density(x_0, 0.0), rtol=0, atol=1e-4)


def test_gaussian_in_closed_form():
    mean, std = torch.tensor([[0.5, -1.0], [2.0, 0.03]], dtype=torch.float64)
    x_0 = torch.tensor([[0.0, -1.02], [3.0, -0.9]], dtype=torch.float64)
    found = polydiff.log_likelihood(Gaussian(mean, std, Flow()), x_0)
    expected = torch.distributions.Normal(mean, std).log_prob(x_0).sum(1)
    torch.testing.assert_close(found.log_density, expected, rtol=0, atol=1e-4)


def test_hutchinsons_interval_covers_the_exact_density():
    oracle = space(Cosine())
    x_0 = oracle.sample(300, torch.Generator().manual_seed(1))
    exact = polydiff.log_likelihood(oracle, x_0, steps=40).log_density
    found = polydiff.log_likelihood(oracle, x_0, steps=40, probes=10, seeds=Seeds(0, range(300)))
    off = (found.log_density - exact) / found.std_error
    assert found.std_error.median() > 0.01
    assert 0.9 < (off.abs() < 2.26).double().mean() < 0.99  # Student's 95 % for nine degrees of freedom
    # All examples together tell a bias that one does not.
    assert abs((found.log_density - exact).mean()) < 3 * found.std_error.square().mean().sqrt() / math.sqrt(300)


def test_probes_depend_on_the_seeds_alone():
    oracle, seeds = space(Flow()), Seeds(3, range(6))
    x_0 = oracle.sample(6, torch.Generator().manual_seed(2))
    whole = polydiff.log_likelihood(oracle, x_0, steps=8, probes=2, seeds=seeds)
    part = polydiff.log_likelihood(oracle, x_0[2:5], steps=8, probes=2, seeds=seeds[2:5])
    torch.testing.assert_close(part.log_density, whole.log_density[2:5], rtol=0, atol=1e-10)


def test_density_under_a_condition():
    oracle = space(Cosine())
    cond = Condition(vector=torch.eye(3, dtype=torch.float64)[[0, 2]])
    x_0 = torch.tensor([[-0.8, 0.1, 0.5], [1.0, 0.8, -0.5]], dtype=torch.float64)
    found = polydiff.log_likelihood(oracle, x_0, cond=cond)
    torch.testing.assert_close(found.log_density, oracle.log_density(x_0, 0.0, cond), rtol=0, atol=1e-4)


def test_density_at_another_time():
    oracle = mixture(Linear())
    x_t = torch.linspace(-1.5, 1.5, 11, dtype=torch.float64)
    found = polydiff.log_likelihood(oracle, x_t, start=0.3, terminal=at_end(oracle))
    torch.testing.assert_close(found.log_density, oracle.log_density(x_t, 0.3), rtol=0, atol=1e-6)


def test_bits_per_dim_of_quantised_data_bound_their_entropy():
    """Fair dice on a grid of width 1/4 have log2(4) bits; a Gaussian model of them needs more."""
    width, seeds = 0.25, Seeds(0, range(400))
    bins = torch.arange(400).remainder(4)[:, None].double() * width
    x_0 = dequantize(bins, width, seeds)
    assert (x_0 - bins).abs().max() <= width / 2
    assert x_0.mean().item() == pytest.approx(1.5 * width, abs=0.02)
    model = Gaussian(torch.tensor(1.5 * width).double(), torch.tensor(width * math.sqrt(4 / 3)).double(), Cosine())
    bits = polydiff.log_likelihood(model, x_0, steps=50).bits_per_dim(width).mean().item()
    assert 2 < bits < 2.4


class Tiny(Denoiser):
    """A network in single precision, of pictures."""

    def __init__(self):
        super().__init__()
        self.schedule = Cosine()
        self.net = torch.nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x_t, t, cond=None):
        alpha, sigma = (c.to(x_t) for c in self.schedule(t))
        return alpha * x_t - sigma * torch.tanh(self.net(x_t))


def test_networks_in_single_precision_and_their_gradients_are_left_alone():
    torch.manual_seed(0)
    network, x_0 = Tiny(), torch.randn(2, 1, 3, 3)
    exact = polydiff.log_likelihood(network, x_0, steps=20)
    estimate = polydiff.log_likelihood(network, x_0, steps=20, probes=16, seeds=Seeds(0, range(2)))
    assert exact.log_density.dtype == torch.float64
    assert exact.x_1.dtype == torch.float32
    assert not exact.x_1.requires_grad
    assert all(weight.grad is None for weight in network.parameters())
    assert ((estimate.log_density - exact.log_density).abs() < 4 * estimate.std_error).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "at least one step"),
        ({"probes": 1, "seeds": Seeds(0, range(2))}, "at least 2 probes"),
        ({"probes": 4}, "give it seeds"),
        ({"start": 1.0}, "start"),
    ],
)
def test_senseless_likelihoods_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        polydiff.log_likelihood(gaussian(Flow()), torch.zeros(2).double(), **options)
