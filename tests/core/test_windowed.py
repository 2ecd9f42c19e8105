"""Windows that share one denoised signal."""

import pytest
import torch

from polydiff.core import oracle
from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.schedule import Cosine
from polydiff.core.windowed import AT_ONCE, Windowed
from polydiff.sampling.ddim import DDIM

T = torch.tensor(0.4, dtype=torch.float64)


def gaussian():
    zero = torch.zeros((), dtype=torch.float64)
    return oracle.Gaussian(zero + 0.3, zero + 0.7, Cosine())


class Spy(Denoiser):
    """Gives its input back, shifted by what it is conditioned on, and remembers how it was called."""

    schedule = Cosine()

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, x_t, t, cond=None):
        assert t.ndim == 0 or t.shape == x_t.shape[:1]
        self.batches.append(x_t.shape[0])
        x0 = x_t * (1 if t.ndim == 0 else t.view(-1, *[1] * (x_t.ndim - 1)).to(x_t))
        if cond is not None and cond.vector is not None:
            x0 = x0 + cond.vector.view(-1, *[1] * (x_t.ndim - 1))
        return x0 if cond is None or cond.channels is None else x0 + cond.channels


def test_a_pointwise_denoiser_is_the_same_in_windows():
    x_t = torch.randn(3, 2, 50, dtype=torch.float64)
    t = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    torch.testing.assert_close(Windowed(gaussian(), 16)(x_t, t), gaussian()(x_t, t), rtol=1e-12, atol=1e-12)


def test_conditions_and_times_go_with_their_samples_and_channels_with_their_windows():
    x_t = torch.randn(3, 2, 45, dtype=torch.float64)
    cond = Condition(vector=torch.randn(3, 1, dtype=torch.float64), channels=torch.randn_like(x_t))
    t = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    torch.testing.assert_close(Windowed(Spy(), 16)(x_t, t, cond), Spy()(x_t, t, cond), rtol=1e-12, atol=1e-12)


def test_where_windows_overlap_the_nearer_middle_counts_more():
    class Place(Denoiser):
        schedule = Cosine()

        def forward(self, x_t, t, cond=None):
            return torch.tensor([1.0, 3.0]).view(2, 1, 1).expand_as(x_t)  # the first window's estimate, the second's

    x0 = Windowed(Place(), 4)(torch.zeros(1, 1, 6), T)
    expected = [1, 1, (1 * 2 + 3 * 1) / 3, (1 * 1 + 3 * 2) / 3, 3, 3]
    torch.testing.assert_close(x0.flatten(), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize(("frames", "starts"), [(17, [0, 1]), (24, [0, 8]), (25, [0, 4, 9]), (40, [0, 8, 16, 24])])
def test_windows_cover_everything_and_overlap_by_half_at_least(frames, starts):
    assert Windowed(gaussian(), 16).starts(frames) == starts


def test_windows_are_evaluated_many_at_once_but_not_without_bound():
    spy = Spy()
    Windowed(spy, 16)(torch.zeros(10, 1, 8 * 16), T)
    assert sum(spy.batches) == 10 * 15
    assert max(spy.batches) <= AT_ONCE
    assert len(spy.batches) == 3


def test_what_fits_a_window_is_denoised_in_one_piece():
    spy = Spy()
    Windowed(spy, 16)(torch.zeros(2, 1, 12), T)
    assert spy.batches == [2]


def test_a_signal_of_correlated_neighbours_has_no_seam():
    """The statistics of generated signals are the same where windows overlap as elsewhere."""
    length, frames, count = 16, 40, 4000
    places = torch.arange(length, dtype=torch.float64)
    covariance = torch.exp(-(places[:, None] - places).abs() / 2)  # a first-order autoregression: rho = exp(-1/2)

    class Exact(Denoiser):
        schedule = Cosine()

        def forward(self, x_t, t, cond=None):
            alpha, sigma = self.schedule(t)
            gain = alpha * covariance @ torch.linalg.inv(alpha**2 * covariance + sigma**2 * torch.eye(length))
            return x_t @ gain.T

    noise = torch.randn(count, 1, frames, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = DDIM().sample(Windowed(Exact(), length), noise, steps=30)[:, 0]
    neighbours = torch.stack([torch.corrcoef(x[:, i : i + 2].T)[0, 1] for i in range(frames - 1)])
    assert (x.std(0) - 1).abs().max() < 0.1
    assert (neighbours - torch.exp(torch.tensor(-0.5))).abs().max() < 0.08
