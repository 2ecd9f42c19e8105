"""The network's denoiser: an exact network must give the exact estimate, on every schedule and prediction."""

import pytest
import torch
from torch import nn

from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.oracle import Gaussian
from polydiff.core.prediction import PREDICTIONS, prediction
from polydiff.core.schedule import EDM, Cosine, Flow, Linear
from polydiff.errors import UsageError

MEAN, STD = torch.tensor(0.7, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64)


class Exact(nn.Module):
    """Outputs what a perfectly trained network would, from its scaled input and log-SNR alone."""

    def __init__(self, schedule, prediction):
        super().__init__()
        self.oracle, self.prediction = Gaussian(MEAN, STD, schedule), prediction

    def forward(self, x, log_snr, cond=None):
        assert log_snr.shape == (len(x),)
        t = self.oracle.schedule.time(log_snr)
        alpha, sigma = (c[:, None] for c in self.oracle.schedule(t))
        x_t = x / self.prediction.input_scale(alpha, sigma)
        return self.prediction.from_x0(self.oracle(x_t, t), x_t, alpha, sigma)


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (schedule, name)
        for schedule in (Linear(), Cosine(), EDM(), Flow())
        for name in PREDICTIONS
        if name != "eps" or schedule(1.0)[0] > 0
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.parametrize("t", [0.03, 0.5, 0.97, [0.1, 0.5, 0.9]])
def test_an_exact_network_gives_the_exact_estimate(schedule, name, t):
    p = prediction(name)
    x_t = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    t = torch.tensor(t, dtype=torch.float64)
    torch.testing.assert_close(
        NetworkDenoiser(Exact(schedule, p), schedule, p)(x_t, t),
        Gaussian(MEAN, STD, schedule)(x_t, t),
        rtol=1e-8,
        atol=1e-8,
    )


def test_eps_is_refused_where_the_terminal_snr_is_zero():
    for schedule in (Cosine(), Flow(), Linear(zero_terminal_snr=True)):
        with pytest.raises(UsageError, match="use 'v' or 'x0'"):
            NetworkDenoiser(nn.Identity(), schedule, prediction("eps"))
    NetworkDenoiser(nn.Identity(), Linear(), prediction("eps"))


def test_log_snr_told_to_the_network_is_finite_at_both_ends():
    told = []

    class Recorder(nn.Module):
        def forward(self, x, log_snr, cond=None):
            told.append(log_snr)
            return x

    denoiser = NetworkDenoiser(Recorder(), Cosine(), prediction("v"))
    for t in (0.0, 1.0):
        assert torch.isfinite(denoiser(torch.ones(2, 3), torch.tensor(t, dtype=torch.float64))).all()
    assert [log_snr.tolist() for log_snr in told] == [[20, 20], [-20, -20]]
    assert told[0].dtype == torch.float32
