"""Sounds on the mel scale, and back."""

import numpy as np
import pytest
import torch
from polydiff_audio.mel import Mel
from polydiff_audio.sound import Sound

from polydiff.errors import UsageError
from polydiff.torchaudio_loader import load_torchaudio

RATE = 16000


def codec_of(duration=1.0, **options):
    return Mel(RATE, duration, **{"n_fft": 512, "hop": 128, "n_mels": 40, "iterations": 16, **options})


def noise(channels=1, level=0.1, seed=0):
    samples = np.random.default_rng(seed).normal(scale=level, size=(channels, RATE))
    return Sound(samples.astype(np.float32), RATE)


def sine(frequency, amplitude=0.5):
    samples = amplitude * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)
    return Sound(samples[None].astype(np.float32), RATE)


def magnitudes_of(codec, x):
    return (x * codec.std + codec.mean).exp()


def test_the_values_are_torchaudios():
    transform = load_torchaudio().transforms.MelSpectrogram(
        RATE, 512, hop_length=128, n_mels=40, power=1.0, pad_mode="constant"
    )
    codec, sound = codec_of(), noise()
    codec.fit([sound])
    x = codec.encode(sound)
    assert (x.shape, x.dtype) == ((40, 125), torch.float32)
    assert (codec.shape, codec.channels) == ((40, 125), 40)
    expected = transform(torch.from_numpy(sound.samples))[0, :, :125]
    torch.testing.assert_close(magnitudes_of(codec, x), expected, rtol=1e-4, atol=1e-5)


def test_the_filters_are_triangles_evenly_spaced_in_mels():
    mels = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 6000 / 700), 32)
    corners = 700 * (10 ** (mels / 2595) - 1)
    hz = np.arange(257) * RATE / 512
    expected = [np.interp(hz, corners[i : i + 3], [0, 1, 0]) for i in range(30)]
    codec = codec_of(n_mels=30, f_min=100, f_max=6000)
    np.testing.assert_allclose(codec.filters, expected, atol=1e-4)


def test_the_way_back_is_torchaudios_where_the_filters_tell_all_apart():
    transform = load_torchaudio().transforms.InverseMelScale(257, 40, RATE, driver="gelsd")
    scaled = torch.rand(3, 40, 7)
    torch.testing.assert_close(codec_of()._unscaled(scaled), transform(scaled), rtol=1e-3, atol=1e-4)


def test_a_networks_errors_are_not_magnified_where_they_do_not():
    codec = Mel(8000, 1.0, n_fft=256, hop=64, n_mels=64)
    assert torch.linalg.cond(codec.filters) > 1000
    generator = torch.Generator().manual_seed(0)
    spectra = torch.rand(1, 129, 100, generator=generator)
    scaled = codec._scaled(spectra)
    wrong = scaled * torch.exp(0.1 * torch.randn(scaled.shape, generator=generator))
    change = (codec._unscaled(wrong) - codec._unscaled(scaled)).norm() / codec._unscaled(scaled).norm()
    assert 0.05 < change < 0.2


@pytest.mark.parametrize("frequency", [220, 1000, 3500])
def test_a_sine_stays_where_it_was(frequency):
    codec = codec_of()
    sound = sine(frequency)
    codec.fit([sound])
    (found,) = codec.decode(codec.encode(sound)[None])
    power = np.square(np.abs(np.fft.rfft(found.samples[0])))
    hz = np.fft.rfftfreq(found.frames, 1 / RATE)
    assert (hz * power).sum() / power.sum() == pytest.approx(frequency, rel=0.05)


def test_the_round_trip_keeps_what_the_filters_hear():
    codec, sound = codec_of(), noise()
    codec.fit([sound])
    x = codec.encode(sound)
    again = codec.encode(codec.decode(x[None])[0])
    wanted, found = magnitudes_of(codec, x), magnitudes_of(codec, again)
    assert (found - wanted).norm() / wanted.norm() < 0.15


def test_each_filter_is_standardised():
    codec = codec_of(channels=2)
    sounds = [noise(2, level, seed) for seed, level in enumerate([0.5, 0.1, 0.01])]
    codec.fit(sounds)
    x = torch.cat([codec.encode(sound) for sound in sounds], dim=1).double()
    assert x.shape == (80, 375)
    torch.testing.assert_close(x.mean(dim=1), torch.zeros(80).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=1, correction=0), torch.ones(80).double(), atol=1e-5, rtol=0)


def test_silence_stays_silence_and_stereo_its_sides():
    codec = codec_of(channels=2)
    codec.fit([noise(2)])
    silent = np.zeros((1, RATE), np.float32)
    x = codec.encode(Sound(np.vstack([silent, noise().samples]), RATE))
    (found,) = codec.decode(x[None])
    assert not found.samples[0].any()
    assert np.sqrt(np.square(found.samples[1]).mean()) == pytest.approx(0.1, rel=0.2)


def test_only_the_statistics_are_saved():
    codec, other = codec_of(), codec_of()
    codec.fit([noise()])
    assert set(codec.state_dict()) == {"mean", "std"}
    other.load_state_dict(codec.state_dict())
    assert torch.equal(other.encode(sine(440)), codec.encode(sine(440)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_mels": 0}, "n_mels is 0"),
        ({"f_min": -1.0}, "f_min is -1"),
        ({"f_max": 9000.0}, "f_max 9000; 0 <= f_min < f_max <= 8000 Hz"),
        ({"f_min": 500.0, "f_max": 500.0}, "must hold"),
        ({"f_min": 10.0, "f_max": 20.0}, "no bin of n_fft=512 lies between f_min=10 and f_max=20"),
        ({"hop": 300}, "hop is 300"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        codec_of(**options)


def test_filters_without_a_bin_are_refused_and_the_nearest_number_named():
    with pytest.raises(UsageError, match=r"n_mels is 130: .* of n_fft=512; say (\d+) or fewer") as caught:
        codec_of(n_mels=130)
    most = int(str(caught.value).split("say ")[1].split()[0])
    assert codec_of(n_mels=most).channels == most
    with pytest.raises(UsageError, match=f"say {most} or fewer"):
        codec_of(n_mels=most + 1)
