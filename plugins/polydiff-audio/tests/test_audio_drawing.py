"""Waveforms and spectrograms, pixel by pixel."""

import math

import numpy as np
import pytest
from polydiff_audio.drawing import COLOURS, INK, PANEL, row_of, spectrogram, waveform

RATE = 16000
WIDTH, HEIGHT = 60, 100


def sine(frequency, seconds=1.0, level=1.0, rate=RATE):
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)[None]


def decibels(pixels):
    """Read the levels from the colours of a spectrogram."""
    brightness = np.array([(pixel == COLOURS).all(1).argmax() for pixel in pixels.reshape(-1, 3)])
    return -80 + 80 / 255 * brightness.reshape(pixels.shape[:2])


def drawn(samples, rate=RATE, highest=RATE / 2):
    return decibels(spectrogram(samples, rate, WIDTH, HEIGHT, highest))


def row(frequency, highest=RATE / 2):
    return int(row_of(frequency, HEIGHT, highest))


def inked(pixels):
    """Measure how much of each column is covered by ink, in pixels."""
    red = pixels[..., 0].astype(float)
    return ((PANEL[0] - red) / (PANEL[0] - INK[0])).sum(0)


@pytest.mark.parametrize("level", [1.0, 0.5, 0.1, 0.0])
def test_a_waveform_reaches_as_high_as_the_sound(level):
    pixels = waveform(sine(1000, level=level), WIDTH, HEIGHT)
    expected = min(HEIGHT, level * HEIGHT + 1)  # the line is a pixel wide
    np.testing.assert_allclose(inked(pixels), expected, atol=0.1)
    assert np.array_equal(pixels, pixels[::-1]) or level


def test_a_waveform_shows_where_and_to_which_side():
    pixels = waveform(np.array([[0.5, 0, 0, -1.0]], np.float32).repeat(100, 1), 40, HEIGHT)
    rows = [np.flatnonzero((pixels[:, column] != PANEL).any(1)).tolist() for column in (5, 20, 35)]
    assert rows == [[24, 25], [49, 50], [99]]


def test_columns_of_a_waveform_touch():
    """Eight samples on forty columns: a step is a line from one level to the other."""
    pixels = waveform(np.array([[0.8] * 4 + [-0.8] * 4], np.float32), 40, HEIGHT)
    assert inked(pixels)[20] == pytest.approx(81, abs=0.1)
    assert np.delete(inked(pixels), 20) == pytest.approx(1, abs=0.1)


def test_a_waveform_shows_all_channels():
    pixels = waveform(np.array([[0.5], [-0.25]], np.float32).repeat(500, 1), WIDTH, HEIGHT)
    assert inked(pixels) == pytest.approx(0.75 / 2 * HEIGHT + 1, abs=0.1)


@pytest.mark.parametrize("value", [1.001, -7.0, math.nan, math.inf, -math.inf])
def test_a_waveform_marks_what_no_file_holds(value):
    samples = np.zeros((2, 600), np.float32)
    samples[1, 305] = value
    pixels = waveform(samples, WIDTH, HEIGHT).astype(int)
    reddish = pixels[..., 0] > pixels[..., 2] + 50
    assert np.flatnonzero(reddish.any(0)).tolist() == [30]


@pytest.mark.parametrize("frequency", [250, 1000, 3000, 7000])
def test_a_sine_is_a_line_at_its_frequency(frequency):
    levels = drawn(sine(frequency))[:, 5:-5]
    assert (levels.argmax(0) == row(frequency)).all()
    away = np.abs(np.arange(HEIGHT) - row(frequency)) > 12
    assert (levels[away] < -60).all()


@pytest.mark.parametrize("level", [0, -20, -40, -60])
def test_colours_are_decibels_below_a_sine_at_full_scale(level):
    levels = drawn(sine(1000, level=10 ** (level / 20)))[:, 5:-5]
    assert levels.max(0) == pytest.approx(level, abs=0.4)


def test_what_is_too_quiet_is_black():
    assert (drawn(sine(1000, level=5e-5)) == -80).all()
    assert (drawn(np.full((1, 8000), np.nan, np.float32)) == -80).all()


def test_rows_are_even_on_the_mel_scale():
    mel = lambda frequency: 2595 * math.log10(1 + frequency / 700)  # noqa: E731
    for frequency in (0, 100, 1000, 4000, 8000):
        assert row_of(frequency, 120, 8000) == pytest.approx(120 * (1 - mel(frequency) / mel(8000)))


def test_a_loud_half_is_brighter_than_a_silent_half():
    noise = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32) / 4
    noise[:, RATE // 2 :] = 0
    levels = drawn(noise)
    assert (levels[:, :28] > -50).mean() > 0.99
    assert (levels[:, 32:] == -80).all()


@pytest.mark.parametrize("seconds", [0.05, 1, 30])
def test_a_click_is_seen_where_it_is(seconds):
    """However long a sound, no moment of it falls between two columns."""
    samples = np.zeros((1, round(seconds * RATE)), np.float32)
    samples[0, samples.shape[1] * 3 // 4] = 1
    brightest = drawn(samples).sum(0)
    assert abs(brightest.argmax() - 45) <= 1


def test_many_windows_are_as_good_as_few(monkeypatch):
    noise = np.random.default_rng(0).standard_normal((1, 4 * RATE)).astype(np.float32) / 4
    whole = drawn(noise)
    monkeypatch.setattr("polydiff_audio.drawing._AT_A_TIME", 7)
    assert np.array_equal(drawn(noise), whole)


def test_frequencies_that_a_rate_does_not_have_are_black():
    levels = drawn(np.random.default_rng(0).standard_normal((1, 8000)).astype(np.float32) / 4, rate=8000)
    assert (levels[: row(4000)] == -80).all()
    assert (levels[row(4000) + 1 :, 3:-3] > -60).mean() > 0.99


def test_channels_count_by_their_mean_power():
    both, one = np.concatenate([sine(1000), sine(1000)]), np.concatenate([sine(1000), 0 * sine(1000)])
    assert drawn(both)[:, 30].max() == pytest.approx(0, abs=0.4)
    assert drawn(one)[:, 30].max() == pytest.approx(-3.01, abs=0.5)
    opposite = np.concatenate([sine(1000), -sine(1000)])
    assert np.array_equal(drawn(opposite), drawn(both))


@pytest.mark.parametrize("frames", [1, 2, 59, 61])
def test_hardly_any_samples(frames):
    samples = np.full((1, frames), 0.5, np.float32)
    assert spectrogram(samples, RATE, WIDTH, HEIGHT, RATE / 2).shape == (HEIGHT, WIDTH, 3)
    assert inked(waveform(samples, WIDTH, HEIGHT)) == pytest.approx(1, abs=0.1)
