"""Any sound in a window."""

import numpy as np
import pytest
from polydiff_audio.fitting import fit_to, frames_at
from polydiff_audio.resample import resample
from polydiff_audio.sound import Sound

from polydiff.errors import DataError


def noise(channels, frames, rate=8000, seed=0):
    return Sound(np.random.default_rng(seed).normal(size=(channels, frames)).astype(np.float32), rate)


class Unread:
    """A long recording that tells what was read of it."""

    def __init__(self, sound):
        self.sound = sound
        self.rate, self.frames, self.channels = sound.rate, sound.frames, sound.channels
        self.read = None

    @property
    def samples(self):
        raise AssertionError("all of it is read")

    def cut(self, start, frames):
        self.read = start, frames
        return self.sound.cut(start, frames)


@pytest.mark.parametrize("channels", [1, 2])
def test_what_fits_is_left_bit_for_bit(channels):
    sound = noise(channels, 100)
    assert fit_to(sound, 8000, channels, 100).tobytes() == sound.samples.tobytes()


def test_short_sounds_are_followed_by_silence():
    sound = noise(1, 60)
    window = fit_to(sound, 8000, 1, 100)
    assert window.dtype == np.float32
    np.testing.assert_array_equal(window, np.hstack([sound.samples, np.zeros((1, 40))]))


def test_of_long_sounds_the_start_is_taken():
    sound = noise(2, 300)
    np.testing.assert_array_equal(fit_to(sound, 8000, 2, 100), sound.samples[:, :100])


@pytest.mark.parametrize(("rate", "to"), [(8000, 8000), (44100, 16000), (8000, 11025), (96000, 8000)])
def test_a_window_is_resampled_as_if_all_had_been_but_no_more_is_read(rate, to):
    sound = noise(1, 40000, rate)
    recording = Unread(sound)
    window = fit_to(recording, to, 1, 1000)
    np.testing.assert_allclose(window, resample(sound.samples, rate, to)[:, :1000], atol=1e-6)
    start, frames = recording.read
    assert start == 0
    assert 1000 * rate / to <= frames < 1000 * rate / to + 1000


def test_the_pitch_stays_at_another_rate():
    seconds = np.arange(22050) / 22050
    sound = Sound(np.sin(2 * np.pi * 440 * seconds)[None].astype(np.float32), 22050)
    window = fit_to(sound, 8000, 1, 8000)
    expected = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    np.testing.assert_allclose(window[0, 200:-200], expected[200:-200], atol=1e-4)


@pytest.mark.parametrize(("rate", "to"), [(8000, 8000), (44100, 8000), (16000, 22050), (11025, 48000)])
def test_the_length_at_another_rate_is_known_beforehand(rate, to):
    for frames in (1, 2, 441, 1000, 1001, 4999):
        sound = noise(1, frames, rate)
        assert frames_at(sound, to) == resample(sound.samples, rate, to).shape[1]


@pytest.mark.parametrize("channels", [2, 3, 7])
def test_mono_is_the_mean_of_all_channels(channels):
    sound = noise(channels, 50)
    np.testing.assert_allclose(fit_to(sound, 8000, 1, 50)[0], sound.samples.mean(axis=0), atol=1e-7)


def test_mono_on_both_sides_is_stereo():
    sound = noise(1, 50)
    np.testing.assert_array_equal(fit_to(sound, 8000, 2, 50), np.vstack([sound.samples, sound.samples]))


def test_seven_channels_are_no_stereo():
    with pytest.raises(DataError, match=r"has 7 channels, the codec 2; data\.source\.channels=mix"):
        fit_to(noise(7, 50), 8000, 2, 50)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    sound = noise(1, 50)
    sound.samples[0, 7] = value
    with pytest.raises(DataError, match="not finite"):
        fit_to(sound, 8000, 1, 50)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float64])
def test_other_numbers_than_float32_are_refused(kind):
    with pytest.raises(DataError, match=f"the samples are {np.dtype(kind)}; a codec takes float32"):
        fit_to(Sound(np.zeros((1, 50), kind), 8000), 8000, 1, 50)


def test_an_empty_sound_is_refused():
    with pytest.raises(DataError, match="no samples"):
        fit_to(noise(1, 0), 8000, 1, 50)


def test_rates_in_no_simple_ratio_are_refused():
    with pytest.raises(DataError, match="simpler ratio"):
        fit_to(noise(1, 50, 44101), 8000, 1, 50)
