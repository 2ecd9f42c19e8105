"""The same denoiser, noise and times through azula's samplers: where they agree, and who is right where they do not.

azula needs torchvision, and so it is in no extra: `pip install azula` beside the tests to run these.
"""

import math

import pytest
import torch

from polydiff.core.oracle import Mixture
from polydiff.core.schedule import Cosine, Flow, Linear
from polydiff.plugins.factory import sampler

sample = pytest.importorskip("azula.sample")
denoise = pytest.importorskip("azula.denoise")

SCHEDULES = {"linear": Linear(), "cosine": Cosine(), "flow": Flow()}


class Theirs(denoise.Denoiser):
    """Our oracle as azula's denoiser."""

    def __init__(self, oracle):
        super().__init__()
        self.oracle, self.schedule = oracle, oracle.schedule

    def forward(self, x_t, t, **kwargs):
        return denoise.DiracPosterior(self.oracle(x_t, t))


class Recorded:
    """Stands for seeds: noise drawn before, step by step."""

    def __init__(self, noise):
        self.noise = noise

    def normal(self, shape, *, stream, step, device, dtype):
        return self.noise[step].to(dtype)


def _oracle(schedule):
    numbers = [[-1.0, 0.3, 1.2], [0.25, 0.15, 0.3], [0.4, 0.35, 0.25]]
    return Mixture(*torch.tensor(numbers, dtype=torch.float64), schedule)


@pytest.fixture(params=SCHEDULES)
def oracle(request):
    return _oracle(SCHEDULES[request.param])


@pytest.fixture
def x_t():
    return torch.linspace(-2.5, 2.5, 51, dtype=torch.float64)


def _both(name, options, theirs, oracle, x_t, steps=12, **their_options):
    """Walk from t = 0.95 to 0.05 with both."""
    walk = theirs(Theirs(oracle), start=0.95, stop=0.05, steps=steps, silent=True, dtype=torch.float64, **their_options)
    return sampler(name, **options).sample(oracle, x_t, times=walk.timesteps), walk(x_t)


@pytest.mark.parametrize(
    ("name", "options", "theirs", "their_options"),
    [
        ("ddim", {}, sample.DDIMSampler, {}),
        ("ddim", {}, sample.ItoSampler, {"eta": 0.0}),
        ("euler", {}, sample.EulerSampler, {}),
        ("heun", {}, sample.HeunSampler, {}),
        *(("lms", {"order": order}, sample.zABSampler, {"order": order}) for order in (1, 2, 3, 4)),
        *(
            ("deis", {"order": order, "variable": "log-rho"}, sample.zEABSampler, {"order": order})
            for order in (1, 2, 3)
        ),
    ],
)
def test_trajectories_agree(name, options, theirs, their_options, oracle, x_t):
    ours, azulas = _both(name, options, theirs, oracle, x_t, **their_options)
    torch.testing.assert_close(ours, azulas, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("eta", "theirs", "their_options"), [(1.0, sample.DDPMSampler, {}), (0.6, sample.DDIMSampler, {"eta": 0.36})]
)
def test_posterior_noise_agrees(eta, theirs, their_options, oracle, x_t, monkeypatch):
    # Theirs is a share of the posterior's variance, ours of its standard deviation, as in the paper.
    noise = torch.randn(12, *x_t.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = iter(noise)
    monkeypatch.setattr(torch, "randn_like", lambda like: next(drawn))
    walk = theirs(Theirs(oracle), start=0.95, stop=0.05, steps=12, silent=True, dtype=torch.float64, **their_options)
    ours = sampler("ddim", eta=eta).sample(oracle, x_t, times=walk.timesteps, seeds=Recorded(noise))
    torch.testing.assert_close(ours, walk(x_t), rtol=0, atol=1e-5)


def _order(theirs, oracle, x_t, **their_options):
    """Measure the order of a sampler of theirs, by the median error at two numbers of steps."""
    times = torch.tensor([0.95, 0.05], dtype=torch.float64)
    exact = oracle.flow(x_t, *times)
    ends = [_both("ddim", {}, theirs, oracle, x_t, steps, **their_options)[1] for steps in (80, 320)]
    errors = [(end - exact).abs().median() for end in ends]
    return math.log(errors[0] / errors[1], 4)


class Mended(sample.REABSampler):
    """REABSampler with sigma_s in the weight of its integral, as its own docstring has it."""

    def __call__(self, x):
        time = self.timesteps
        alpha, sigma = self.denoiser.schedule(time)
        u, total, buffer = (sigma / alpha).log(), (alpha**2 + sigma**2).sqrt(), []
        for i, t in enumerate(time[:-1]):
            mean = self.denoiser(x, t).mean
            buffer = [*buffer, (alpha[i] * x / total[i] - total[i] * mean) / sigma[i]][-self.order :]
            weights = self._exponential_adams_bashforth(u, i=i, n=self.order)
            x = total[i + 1] / total[i] * x + total[i + 1] * sum(f * c for f, c in zip(buffer, weights, strict=True))
        return x


def test_reab_takes_sigma_t_for_sigma_s_and_is_of_first_order(x_t):
    oracle = _oracle(Cosine())
    assert _order(sample.REABSampler, oracle, x_t, order=2) == pytest.approx(1, abs=0.3)
    assert _order(Mended, oracle, x_t, order=2) == pytest.approx(2, abs=0.3)


def test_heun_is_not_finite_at_the_data(x_t):
    oracle = _oracle(Cosine())
    walk = sample.HeunSampler(Theirs(oracle), start=0.95, stop=0.0, steps=12, silent=True, dtype=torch.float64)
    assert not walk(x_t).isfinite().any()
    ours = sampler("heun").sample(oracle, x_t, times=walk.timesteps)
    exact = oracle.flow(x_t, *torch.tensor([0.95, 0.0], dtype=torch.float64))
    assert (ours - exact).abs().median() < 0.05


def test_euler_is_not_finite_where_there_is_no_data(x_t):
    oracle = _oracle(Flow())
    walk = sample.EulerSampler(Theirs(oracle), start=1.0, stop=0.05, steps=12, silent=True, dtype=torch.float64)
    assert not walk(x_t).isfinite().any()
    assert sampler("euler").sample(oracle, x_t, times=walk.timesteps).isfinite().all()
