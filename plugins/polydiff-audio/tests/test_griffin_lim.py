"""Magnitudes to sounds: the parts."""

import math

import numpy as np
import pytest
import torch
from polydiff_audio.griffin_lim import griffin_lim, istft, iterate, stft
from polydiff_audio.phases import peak_frequencies, starting_phases

from polydiff.torchaudio_loader import load_torchaudio


def noise(frames, batch=1, seed=0):
    return torch.randn(batch, frames, generator=torch.Generator().manual_seed(seed))


def tone(frequency, frames=4096, n_fft=256):
    """Give a sine at so many bins."""
    return torch.cos(2 * math.pi * frequency / n_fft * torch.arange(frames) + 0.7)[None]


@pytest.mark.parametrize(("n_fft", "hop"), [(256, 64), (512, 100), (64, 16)])
def test_spectra_give_back_their_sound(n_fft, hop):
    sound = noise(40 * hop, batch=3)
    spectra = stft(sound, n_fft, hop)
    assert spectra.shape == (3, n_fft // 2 + 1, 40)
    torch.testing.assert_close(istft(spectra, n_fft, hop), sound, atol=2e-5, rtol=0)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_the_iteration_is_torchaudios(momentum):
    sound = torch.zeros(2, 4096)
    sound[:, 512:3584] = noise(3072, batch=2)  # where there is silence on both sides, its mirror images are silent, too
    magnitudes = stft(sound, 256, 64).abs()
    window = torch.hann_window(256)
    silent = torch.zeros(2, 129, 1)
    expected = load_torchaudio().functional.griffinlim(
        torch.cat([magnitudes, silent], dim=-1), window, 256, 64, 256, 1.0, 5, momentum, 4096, rand_init=False
    )
    found = iterate(magnitudes, torch.zeros_like(magnitudes), 256, 64, 5, momentum)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("frequency", [3.0, 20.3, 40.45, 99.71])
def test_peaks_are_found_between_bins(frequency):
    found = peak_frequencies(stft(tone(frequency), 256, 64).abs())[0, :, 4:-4]
    near = round(frequency)
    assert (found[near - 1 : near + 2] - frequency).abs().max() < 0.04


def test_each_bin_belongs_to_the_nearest_peak():
    magnitudes = torch.zeros(1, 11, 1)
    magnitudes[0, :, 0] = torch.tensor([1, 3, 1, 0.5, 0.2, 0.1, 0.2, 0.5, 2, 4, 2])
    assert peak_frequencies(magnitudes)[0, :, 0].tolist() == pytest.approx([1.0] * 6 + [9.0] * 5, abs=1e-5)


def test_the_lowest_and_the_highest_bin_can_be_peaks():
    magnitudes = torch.zeros(1, 9, 1)
    magnitudes[0, 0], magnitudes[0, 8] = 2, 1
    magnitudes[0, 1], magnitudes[0, 7] = 1, 0.5
    assert peak_frequencies(magnitudes)[0, :, 0].tolist() == [0.0] * 5 + [8.0] * 4


@pytest.mark.parametrize("frequency", [20.0, 20.3, 40.5, 99.71])
def test_a_steady_tone_starts_with_its_phases_but_for_one(frequency):
    spectra = stft(tone(frequency), 256, 64)
    start = starting_phases(spectra.abs(), 256, 64)
    near = slice(round(frequency) - 1, round(frequency) + 2)
    turned = torch.angle(spectra[0, near, 4:20] * torch.polar(torch.ones(()), -start[0, near, 4:20]))
    apart = (turned - turned[1, 0] + math.pi).remainder(2 * math.pi) - math.pi
    assert apart.abs().max() < 1.0  # of 16 frames, 4 periods of the window


def test_silence_has_no_peaks_and_stays_silent():
    silence = torch.zeros(1, 129, 30)
    assert peak_frequencies(silence).isfinite().all()
    assert starting_phases(silence, 256, 64).isfinite().all()
    assert not griffin_lim(silence, 256, 64, 8, 0.99).any()


def test_long_sounds_keep_exact_phases():
    magnitudes = torch.zeros(1, 17, 100_000)
    magnitudes[0, 4:7] = torch.tensor([1.0, 2.0, 1.0])[:, None]
    phases = starting_phases(magnitudes, 32, 7)[0, 5].numpy()
    expected = 2 * np.pi * ((5 * 7 / 32) * np.arange(1, 100_001) % 1) + np.pi
    assert np.abs(np.exp(1j * phases) - np.exp(1j * expected)).max() < 1e-3


def test_batches_larger_than_are_worked_on_together_are_all_there():
    magnitudes = stft(noise(6400, batch=90), 256, 64).abs()
    assert magnitudes.numel() > 2**19
    found = griffin_lim(magnitudes, 256, 64, 4, 0.99)
    torch.testing.assert_close(found[70:71], griffin_lim(magnitudes[70:71], 256, 64, 4, 0.99), atol=1e-5, rtol=0)
