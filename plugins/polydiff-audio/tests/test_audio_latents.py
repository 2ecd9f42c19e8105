"""The autoencoder of sounds, its loss and measure, and the conformance kit on a model of its latents."""

from pathlib import Path

import numpy as np
import pytest
import torch
from polydiff_audio.autoencoder1d import Autoencoder1D
from polydiff_audio.fidelity import LIMIT_DB, fidelity
from polydiff_audio.mel import Mel
from polydiff_audio.reconstruction import SpectralLoss
from polydiff_audio.sound import Sound
from polydiff_audio.stft import distance
from polydiff_audio.waveform import Waveform

from polydiff.errors import UsageError
from polydiff.testing import ModalityConformance, train_codec

RATE = 8000

RECIPES = Path(__file__).parent


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


def test_si_sdr_is_the_ratio_of_what_was_added():
    """Of a sound with noise that is orthogonal to it, at any level and of either sign."""
    s, n = noise(1, 4000), noise(1, 4000, seed=1)
    n -= s * float((s * n).sum() / (s * s).sum())
    n *= 0.1 * np.linalg.norm(s) / np.linalg.norm(n)
    for level in (1, 3, -0.5):
        assert fidelity(Sound(level * (s + n), RATE), Sound(s, RATE))["si_sdr_db"] == pytest.approx(20, abs=1e-3)


def test_si_sdr_has_limits():
    s, silence = Sound(noise(2, 400), RATE), Sound(np.zeros((2, 400), np.float32), RATE)
    assert fidelity(s, s)["si_sdr_db"] == LIMIT_DB
    assert fidelity(silence, s)["si_sdr_db"] == LIMIT_DB or fidelity(silence, s)["si_sdr_db"] == -LIMIT_DB
    assert fidelity(s, silence)["si_sdr_db"] == -LIMIT_DB
    assert fidelity(silence, silence)["si_sdr_db"] == LIMIT_DB


@pytest.mark.parametrize("channels", [1, 2])
def test_spectral_loss_is_the_sum_of_the_metrics_distances(channels):
    codec = Waveform(RATE, 0.5, channels)
    codec.level.fill_(0.25)
    x, y = (torch.from_numpy(noise(3, channels, 4000, seed=seed)) for seed in (0, 1))
    losses = SpectralLoss(codec)(y / 0.25, x / 0.25)
    for loss, ours, true in zip(losses, y, x, strict=True):
        expected = distance(ours, true, RATE)
        assert float(loss) == pytest.approx(expected.convergence + expected.log_magnitude, rel=1e-4)
    assert torch.equal(SpectralLoss(codec)(x, x), torch.zeros(3))


def test_spectral_loss_has_a_finite_gradient_at_silence_and_at_the_truth():
    codec, x = Waveform(RATE, 0.5), torch.from_numpy(noise(1, 1, 4000))
    for start in (torch.zeros_like(x), x.clone()):
        y = start.requires_grad_()
        SpectralLoss(codec)(y, x).sum().backward()
        assert y.grad.isfinite().all()


def test_spectral_loss_is_of_waveforms():
    with pytest.raises(UsageError, match="which the codec 'waveform' alone encodes"):
        SpectralLoss(Mel(RATE, 0.5))


def test_factors_divide_the_length():
    network = Autoencoder1D((1, 8192), channels=8, latent=6, multipliers=(1, 2, 2, 2), blocks=1)
    assert network.latent_shape((1, 4096)) == (6, 64)
    assert network.decode(network.encode(torch.zeros(1, 1, 4096)).mean).shape == (1, 1, 4096)
    with pytest.raises(UsageError, match="a length of 4000 is not a multiple of 64"):
        network.latent_shape((1, 4000))


class TestLatents(ModalityConformance):
    """On latents of short notes, with labels and pitches."""

    recipe = str(RECIPES / "latents_model.yaml")
    round_trip_error = 2.0  # next to nothing is asked of an autoencoder that has seen some hundred notes

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def codec(cls, tmp_path_factory):
        folder = train_codec(str(RECIPES / "latents_codec.yaml"), (), tmp_path_factory.mktemp("codec"))
        cls.overrides = (f"codec.of={folder}",)
