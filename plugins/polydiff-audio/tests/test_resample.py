"""Other sample rates."""

import numpy as np
import pytest
import scipy.signal
from polydiff_audio.resample import check_rates, reach, resample, resampled_frames

from polydiff.errors import DataError
from polydiff.torchaudio_loader import load_torchaudio

PAIRS = [(44100, 16000), (16000, 44100), (48000, 16000), (8000, 16000), (22050, 16000), (96000, 44100)]


def tone(frequency, rate, seconds=1.0, phase=0.3):
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate + phase).astype(np.float32)[None]


def noise(channels, frames, seed=0):
    return np.random.default_rng(seed).standard_normal((channels, frames)).astype(np.float32)


@pytest.mark.parametrize(("rate", "to"), PAIRS)
@pytest.mark.parametrize("part", [0.01, 0.3, 0.88])
def test_a_sine_stays_that_sine(rate, to, part):
    frequency = part * min(rate, to) / 2
    edge = 2 * reach(to, rate)
    found = resample(tone(frequency, rate), rate, to)
    assert np.abs(found - tone(frequency, to))[:, edge:-edge].max() < 5e-5


@pytest.mark.parametrize(("rate", "to"), PAIRS)
def test_it_agrees_with_scipys_polyphase_filter(rate, to):
    common = np.gcd(rate, to)
    up, down = to // common, rate // common
    most = max(up, down)
    taps = scipy.signal.firwin(2 * 68 * most + 1, 0.9475937 / most, window=("kaiser", 14.7697))
    x = noise(2, 5000)
    expected = scipy.signal.resample_poly(x.astype(np.float64), up, down, axis=1, window=taps)
    found = resample(x, rate, to)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 2e-3 * expected.std()


@pytest.mark.parametrize(("rate", "to"), [(48000, 16000), (44100, 16000), (16000, 8000)])
def test_what_the_new_rate_cannot_hold_goes(rate, to):
    found = resample(tone(0.52 * to, rate), rate, to)
    edge = reach(to, rate)
    assert np.abs(found[:, edge:-edge]).max() < 1e-6  # -120 dB


@pytest.mark.parametrize(("rate", "to"), PAIRS)
@pytest.mark.parametrize("frames", [0, 1, 2, 440, 441, 442, 12345])
def test_the_length_is_rounded_up(rate, to, frames):
    found = resample(noise(1, frames), rate, to)
    assert found.shape == (1, resampled_frames(frames, rate, to)) == (1, int(np.ceil(frames * (to / rate) - 1e-9)))


def test_the_length_is_exact_where_torchaudio_rounds_it_to_float32():
    frames = pow(320, -1, 441) + 441 * 600  # whose exact length at 16 kHz is 1/441 above a whole number
    x = noise(1, frames)
    kernel = load_torchaudio().transforms.Resample(22050, 16000)
    exact = frames * 320 // 441 + 1
    assert kernel(load_torchaudio().torch.from_numpy(x)).shape[1] == exact - 1  # if not, `spare` is not needed
    assert resample(x, 22050, 16000).shape[1] == exact


def test_channels_are_independent():
    x = noise(2, 3000)
    both = resample(x, 44100, 16000)
    alone = np.concatenate([resample(x[:1], 44100, 16000), resample(x[1:], 44100, 16000)])
    assert np.abs(both - alone).max() < 1e-5


def test_equal_rates_change_nothing():
    x = noise(2, 100)
    assert resample(x, 16000, 16000) is x
    assert reach(16000, 16000) == 0


@pytest.mark.parametrize(("rate", "to"), PAIRS)
def test_frames_depend_on_nothing_beyond_their_reach(rate, to):
    x, changed = noise(1, 6000), noise(1, 6000, seed=1)
    place = 3000 * to // rate
    near = slice(3000 - reach(rate, to), 3000 + reach(rate, to) + 1)
    changed[:, near] = x[:, near]
    assert resample(changed, rate, to)[0, place] == resample(x, rate, to)[0, place]


def test_read_only_samples_are_taken():
    x = noise(1, 1000)
    x.flags.writeable = False
    assert np.isfinite(resample(x, 8000, 16000)).all()


def test_rates_in_no_simple_ratio_are_refused():
    with pytest.raises(DataError, match=r"11127 Hz cannot be converted to 16000 Hz, 11127:16000"):
        resample(noise(1, 10), 11127, 16000)


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 22050, 22255, 24000, 32000, 44056, 44100, 48000, 96000, 192000])
def test_the_rates_that_people_use_can_be_converted(rate):
    check_rates(rate, 16000)
    check_rates(16000, rate)
