"""Silence at the ends of sounds."""

import numpy as np
import pytest
from polydiff_audio.trimming import trim

RATE = 16000


def tone(seconds, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def silence(seconds, level=0.0):
    noise = np.random.default_rng(0).standard_normal(round(seconds * RATE))
    return (level * noise).astype(np.float32)


def test_silence_at_both_ends_goes_and_silence_within_stays():
    sound = np.concatenate([tone(0.2), silence(0.3), tone(0.1)])
    padded = np.concatenate([silence(0.5), sound, silence(0.25)])
    assert np.array_equal(trim(padded[None], RATE, 40), sound[None])


@pytest.mark.parametrize(("level", "kept"), [(-50, 0.2), (-30, 0.7)])
def test_what_counts_as_silence_is_relative_to_the_loudest(level, kept):
    for gain in (1e-3, 1.0, 30.0):
        sound = gain * np.concatenate([silence(0.5, 0.5**0.5 * 10 ** (level / 20)), tone(0.2, 1.0)])
        assert trim(sound.astype(np.float32)[None], RATE, 40).shape[1] == round(kept * RATE)


def test_a_click_is_not_lost():
    sound = np.zeros((2, RATE), np.float32)
    sound[1, 5003] = 0.1
    trimmed = trim(sound, RATE, 60)
    assert trimmed.shape == (2, RATE // 100)
    assert trimmed[1].max() == np.float32(0.1)


def test_silence_alone_stays():
    assert trim(np.zeros((1, 1234), np.float32), RATE, 40).shape == (1, 1234)


def test_the_last_stretch_may_be_short():
    sound = np.concatenate([silence(0.5), tone(0.1), tone(0.1)[:7]])
    assert np.array_equal(trim(sound[None], RATE, 40), sound[None, RATE // 2 :])


def test_a_sound_may_be_shorter_than_a_stretch():
    assert trim(np.ones((1, 3), np.float32), RATE, 40).shape == (1, 3)
