"""Levels of sounds, against ITU-R BS.1770-4."""

import numpy as np
import pytest
import scipy.signal
from polydiff_audio.loudness import loudness, normalise

from polydiff.errors import DataError

K_WEIGHTING = [
    [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
    [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
]
"""Tables 1 and 2 of the recommendation, at 48 kHz."""

RATES = [8000, 16000, 22050, 44100, 48000]


def sine(seconds, rate, amplitude=1.0, channels=1):
    wave = amplitude * np.sin(2 * np.pi * 997 * np.arange(round(seconds * rate)) / rate)
    return np.tile(wave.astype(np.float32), (channels, 1))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("channels", "amplitude", "expected"), [(1, 1.0, -3.01), (2, 1.0, 0.0), (1, 0.1, -23.01)])
def test_a_sine_of_997_hz_measures_what_the_standard_says(rate, channels, amplitude, expected):
    assert loudness(sine(3, rate, amplitude, channels), rate) == pytest.approx(expected, abs=0.05)


def test_gated_noise_measures_what_the_recommendation_computes():
    rng = np.random.default_rng(0)
    noise = (rng.standard_normal((2, 96000)) * np.repeat([0.3, 0.01], 48000)).astype(np.float32)
    weighted = scipy.signal.sosfilt(K_WEIGHTING, noise.astype(np.float64))
    blocks = np.lib.stride_tricks.sliding_window_view(weighted, 19200, axis=1)[:, ::4800]
    power = np.square(blocks).mean(axis=2).sum(axis=0)
    power = power[power > power.mean() / 10]  # the relative gate; none is below the absolute
    assert len(power) < blocks.shape[1]
    assert loudness(noise, 48000) == pytest.approx(-0.691 + 10 * np.log10(power.mean()), abs=1e-6)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.3999, 0.4])
def test_a_sound_shorter_than_a_block_is_measured_as_one(rate, seconds):
    assert loudness(sine(seconds, rate), rate) == pytest.approx(-3.01, abs=0.3)


def test_a_sound_of_one_frame_can_be_measured():
    assert np.isfinite(loudness(np.ones((1, 1), np.float32), 8000))


@pytest.mark.parametrize("level", [-30.0, -23.0, -9.0])
def test_sounds_are_brought_to_a_loudness(level):
    noise = np.random.default_rng(0).standard_normal((2, 32000)).astype(np.float32)
    scaled = normalise(noise, 16000, "loudness", level)
    assert scaled.dtype == np.float32
    assert loudness(scaled, 16000) == pytest.approx(level, abs=0.01)
    assert np.allclose(scaled / noise, scaled[0, 0] / noise[0, 0], rtol=1e-5)


@pytest.mark.parametrize(("level", "expected"), [(0.0, 1.0), (-6.0206, 0.5)])
def test_sounds_are_brought_to_a_peak(level, expected):
    sound = np.array([[0.01, -0.2, 0.1], [0.05, 0, 0]], np.float32)
    scaled = normalise(sound, 16000, "peak", level)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled, sound * expected / 0.2, atol=1e-6)


@pytest.mark.parametrize("measure", ["peak", "loudness"])
def test_silence_stays_silent(measure):
    silence = np.zeros((1, 16000), np.float32)
    assert np.array_equal(normalise(silence, 16000, measure, -10.0), silence)


def test_what_is_too_quiet_to_be_measured_is_refused():
    with pytest.raises(DataError, match="below -70 LUFS"):
        normalise(sine(1, 16000, 1e-4), 16000, "loudness", -23.0)
