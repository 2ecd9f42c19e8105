"""Sounds as samples, and what all codecs of sounds do."""

import itertools
import math

import numpy as np
import pytest
import torch
from polydiff_audio.sound import Sound
from polydiff_audio.timed import FITTED
from polydiff_audio.waveform import Waveform

from polydiff.errors import PolydiffError, UsageError


def noise(channels, frames, rate=8000, level=0.1, seed=0):
    samples = np.random.default_rng(seed).normal(scale=level, size=(channels, frames))
    return Sound(samples.astype(np.float32), rate)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("level", [3e-4, 0.07, 5.0])
def test_a_sound_of_the_codecs_kind_comes_back_bit_for_bit(channels, level):
    codec = Waveform(8000, 0.1, channels)
    sound = noise(channels, 800, level=level)
    sound.samples[:, :4] = 0.0, -0.0, 1e-30, -1.0
    codec.fit([sound])
    x = codec.encode(sound)
    assert (x.shape, x.dtype) == ((channels, 800), torch.float32)
    assert codec.shape == (channels, 800)
    assert codec.channels == channels
    (back,) = codec.decode(x[None])
    assert (back.rate, back.samples.dtype) == (8000, np.float32)
    assert back.samples.tobytes() == sound.samples.tobytes()


@pytest.mark.parametrize(("amplitude", "level"), [(1.0, 0.5), (0.25, 0.125), (0.02, 2.0**-6), (6.0, 4.0)])
def test_the_level_is_the_power_of_two_nearest_to_the_rms(amplitude, level):
    sine = amplitude * np.sin(2 * np.pi * np.arange(800) / 8)
    codec = Waveform(8000, 0.1)
    codec.fit([Sound(sine[None].astype(np.float32), 8000)] * 3)
    assert codec.level == level
    rms = codec.encode(Sound(sine[None].astype(np.float32), 8000)).square().mean().sqrt()
    assert 2**-0.5 <= rms <= 2**0.5


def test_padding_is_not_measured():
    codec = Waveform(8000, 10)
    codec.fit([Sound(np.full((1, 80), 0.5, np.float32), 8000)])
    assert codec.level == 0.5


def test_the_rms_is_over_all_channels_and_sounds():
    codec = Waveform(8000, 0.01, 2)
    loud, silent = np.ones((2, 80), np.float32), np.zeros((2, 80), np.float32)
    codec.fit([Sound(loud, 8000), *[Sound(silent, 8000)] * 15])
    assert codec.level == 0.25


@pytest.mark.parametrize("sounds", [[], [Sound(np.zeros((1, 80), np.float32), 8000)]])
def test_silence_and_nothing_have_no_level(sounds):
    codec = Waveform(8000, 0.01)
    codec.fit(sounds)
    assert codec.level == 1
    assert not codec.encode(Sound(np.zeros((1, 80), np.float32), 8000)).any()


def test_measuring_passes_over_what_cannot_be_encoded():
    codec = Waveform(8000, 0.01)
    broken = Sound(np.full((1, 80), np.nan, np.float32), 8000)
    codec.fit([broken, Sound(np.full((1, 80), 0.25, np.float32), 8000), Sound(np.zeros((1, 0), np.float32), 8000)])
    assert codec.level == 0.25


def test_measuring_ends_even_if_the_sounds_do_not():
    codec = Waveform(8000, 0.001)
    sounds = (noise(1, 8, seed=seed) for seed in itertools.count())
    codec.fit(sounds)
    assert np.array_equal(next(sounds).samples, noise(1, 8, seed=FITTED).samples)


def test_the_level_is_saved_with_the_model():
    codec, other = Waveform(8000, 0.1), Waveform(8000, 0.1)
    codec.fit([noise(1, 800)])
    other.load_state_dict(codec.state_dict())
    assert other.level == codec.level == 0.125


@pytest.mark.parametrize(
    ("rate", "duration", "multiple", "frames"),
    [
        (8000, 1, 1, 8000),
        (8000, 1 / 3, 1, 2667),
        (11025, 0.1, 1, 1102),  # 1102.5
        (16000, 0.1, 256, 1792),
        (16000, 0.112, 256, 1792),
        (16000, 0.1121, 256, 2048),
        (44100, 2e-5, 8, 8),
    ],
)
def test_the_window_is_rounded_up_to_the_multiple(rate, duration, multiple, frames):
    assert Waveform(rate, duration, multiple=multiple).shape == (1, frames)


@pytest.mark.parametrize(
    ("size", "frames"), [("2.5s", 20000), ("2.5", 20000), (" 1 s ", 8000), (".5", 4000), ("3.", 24000)]
)
def test_a_size_is_a_number_of_seconds(size, frames):
    codec = Waveform(8000, 1, 2, multiple=32)
    assert codec.shape_for(size) == (2, math.ceil(frames / 32) * 32)
    (sound,) = codec.decode(torch.randn(1, *codec.shape_for(size)))
    assert codec.cut(sound, size).samples.shape == (2, frames)


def test_seconds_that_no_number_of_samples_makes_are_cut_to_the_nearest():
    codec = Waveform(44100, 1, multiple=1024)
    (sound,) = codec.decode(torch.randn(1, *codec.shape_for("0.33333")))
    assert sound.frames == 15360
    np.testing.assert_array_equal(codec.cut(sound, "0.33333").samples, sound.samples[:, :14700])


@pytest.mark.parametrize(
    "size", ["", "s", "two", "nan", "inf", "-1", "+1", "1e3", "1,5", "96x64", "1 m", ".", "٣", "1s2", "9" * 5000]
)
def test_what_is_no_duration_is_refused(size):
    with pytest.raises(UsageError, match=r"is no duration; say 2\.5 or 2\.5s"):
        Waveform(8000, 1).shape_for(size)


@pytest.mark.parametrize("size", ["0", "0.00001", "67109", "9" * 9])
def test_durations_of_no_sample_or_too_many_are_refused(size):
    with pytest.raises(UsageError, match=r"at 8000 Hz it must be from 0\.00013 to 67108 s"):
        Waveform(8000, 1, 2).shape_for(size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0}, "rate is 0"),
        ({"duration": 0}, "duration is 0"),
        ({"duration": -1.0}, r"duration is -1\.0"),
        ({"duration": math.nan}, "duration is nan"),
        ({"duration": math.inf}, "duration is inf"),
        ({"duration": 1e-6}, "at 8000 Hz it must be from"),
        ({"duration": 1e9}, "at 8000 Hz it must be from"),
        ({"channels": 0}, "say 1 for mono or 2 for stereo"),
        ({"channels": 7}, "say 1 for mono or 2 for stereo"),
        ({"multiple": 0}, "multiple is 0"),
        ({"pad": "zeros"}, "pad is 'zeros'; say silence or mask"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Waveform(**{"rate": 8000, "duration": 1.0, **options})


def test_the_mask_is_one_where_there_is_sound():
    codec = Waveform(8000, 0.01, 2, pad="mask")
    for sound, sounding in [(noise(2, 30), 30), (noise(1, 31, 16000), 16), (noise(2, 500), 80)]:
        mask = codec.mask(sound)
        assert (mask.shape, mask.dtype) == ((1, 80), torch.float32)
        assert torch.equal(mask[0], (torch.arange(80) < sounding).float())
        assert not codec.encode(sound)[:, sounding:].any()


def test_padding_is_learnt_unless_masked():
    assert Waveform(8000, 0.01).mask(noise(1, 30)) is None


def test_decoding_takes_any_length_and_half_precision_and_clips_nothing():
    codec = Waveform(8000, 1)
    first, second = codec.decode(torch.tensor([[[0.5, -3.0]], [[7.0, 0.25]]], dtype=torch.bfloat16))
    assert first.samples.tolist() == [[0.5, -3.0]]
    assert second.samples.tolist() == [[7.0, 0.25]]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(PolydiffError, match="diverged"):
        Waveform(8000, 1).decode(torch.full((1, 1, 4), value))


def test_what_overflows_is_refused():
    codec = Waveform(8000, 0.01)
    codec.fit([Sound(np.full((1, 80), 4.0, np.float32), 8000)])
    with pytest.raises(PolydiffError, match="diverged"):
        codec.decode(torch.full((1, 1, 4), 3e38))


def test_long_sounds_are_generated_in_windows():
    assert Waveform.windowed
