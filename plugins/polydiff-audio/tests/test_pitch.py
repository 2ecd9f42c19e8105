"""Measuring the pitch of a note."""

import math

import numpy as np
import pytest
from polydiff_audio.pitch import _difference, pitch, to_hertz, to_midi
from scipy.signal import sawtooth, square

CENT = 0.01
SECONDS = 0.5


def sine(frequency, rate, phase=0.3):
    return np.sin(2 * math.pi * frequency * np.arange(round(SECONDS * rate)) / rate + phase)


def measured(wave, rate):
    return pitch(np.asarray(wave, np.float32)[None], rate)


def test_midi_numbers_are_semitones_from_440_hertz():
    assert (to_midi(440), to_midi(880), to_hertz(57)) == (69, 81, 220)
    assert to_midi(440 * 2 ** (0.37 / 12)) == pytest.approx(69.37)
    assert to_midi(to_hertz(61.83)) == pytest.approx(61.83)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
@pytest.mark.parametrize("frequency", [70.3, 130.81, 261.7, 440, 777.7, 1046.5, 1760])
def test_a_sine_is_measured_to_a_cent(frequency, rate):
    assert measured(sine(frequency, rate), rate) == pytest.approx(to_midi(frequency), abs=CENT)


@pytest.mark.parametrize("frequency", [97.1, 233.3, 611.1])
@pytest.mark.parametrize("shape", [sawtooth, square])
def test_the_shape_of_a_wave_does_not_matter(shape, frequency):
    wave = shape(2 * math.pi * frequency * np.arange(16000) / 32000)
    assert measured(wave, 32000) == pytest.approx(to_midi(frequency), abs=3 * CENT)


def test_a_missing_fundamental_is_heard():
    wave = sum(sine(k * 200, 16000, k) for k in (2, 3, 4, 5))
    assert measured(wave, 16000) == pytest.approx(to_midi(200), abs=CENT)


def test_a_strong_overtone_is_not_taken_for_the_pitch():
    wave = 0.5 * sine(300, 16000) + sine(600, 16000, 1)
    assert measured(wave, 16000) == pytest.approx(to_midi(300), abs=CENT)


@pytest.mark.parametrize("level", [1e-4, 1, 30])
def test_neither_level_nor_offset_matters(level):
    assert measured(level * (sine(300, 8000) + 2), 8000) == pytest.approx(to_midi(300), abs=CENT)


def test_noise_20_db_below_costs_a_few_cents():
    rng = np.random.default_rng(0)
    wave = sine(330, 16000) + rng.normal(0, 0.07, round(SECONDS * 16000))
    assert measured(wave, 16000) == pytest.approx(to_midi(330), abs=5 * CENT)


def test_a_noisy_or_gliding_start_is_outvoted():
    rng = np.random.default_rng(0)
    start = rng.normal(0, 0.5, 1600)
    assert measured(np.r_[start, sine(330, 16000)], 16000) == pytest.approx(to_midi(330), abs=CENT)
    glide = np.sin(2 * math.pi * np.cumsum(np.linspace(660, 330, 1600)) / 16000)
    assert measured(np.r_[glide, sine(330, 16000)], 16000) == pytest.approx(to_midi(330), abs=CENT)


def test_what_is_quiet_beside_the_note_does_not_count():
    wave = np.r_[sine(330, 8000), 0.01 * np.tile(sine(500, 8000), 4)]
    assert measured(wave, 8000) == pytest.approx(to_midi(330), abs=CENT)


def test_channels_are_heard_together():
    left, right = sine(300, 8000), sine(300, 8000, 0.8)
    assert pitch(np.array([left, right], np.float32), 8000) == pytest.approx(to_midi(300), abs=CENT)


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(8000),
        np.full(8000, 0.5),
        np.r_[np.zeros(4000), np.ones(4000)],
        np.random.default_rng(1).normal(size=8000),
        sine(440, 8000)[:300],
        np.zeros(0),
    ],
    ids=["silence", "constant", "step", "noise", "short", "empty"],
)
def test_what_has_no_pitch_gets_none(wave):
    assert math.isnan(measured(wave, 8000))


def test_the_difference_is_that_of_the_paper():
    """Equation 6 of de Cheveigne & Kawahara 2002, term by term."""
    windows = np.random.default_rng(2).normal(size=(3, 50))
    expected = [[((w[:30] - w[lag : lag + 30]) ** 2).sum() for lag in range(21)] for w in windows]
    assert np.allclose(_difference(windows, 30), expected, atol=1e-9)
