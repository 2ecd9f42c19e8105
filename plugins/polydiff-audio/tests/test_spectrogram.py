"""Sounds as log magnitudes, and back."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from polydiff_audio.sound import Sound
from polydiff_audio.spectrogram import Spectrogram

from polydiff.errors import DataError, PolydiffError, UsageError

RATE = 8000
FLOOR = 3e-3


def codec_of(duration=1.0, **options):
    return Spectrogram(RATE, duration, **{"n_fft": 256, "hop": 64, **options})


def sines(components, seconds=1.0, rate=RATE):
    """Give a sum of sines of (Hz, amplitude)."""
    t = np.arange(round(seconds * rate)) / rate
    total = sum(amplitude * np.sin(2 * np.pi * frequency * t + frequency) for frequency, amplitude in components)
    return Sound(total[None].astype(np.float32), rate)


def noise(channels=1, frames=RATE, level=0.1, seed=0):
    samples = np.random.default_rng(seed).normal(scale=level, size=(channels, frames))
    return Sound(samples.astype(np.float32), RATE)


def voice(pitch=120.0, seconds=1.0):
    """Give something like a vowel that glides and fades: many partials, then a breath of noise, then silence."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch * (t + 0.15 * t**2)
    partials = sum(np.exp(-((pitch * k - 700) ** 2) / 8e5) * np.sin(k * phase) / k for k in range(1, 25))
    rng = np.random.default_rng(0)
    breath = 0.05 * rng.normal(size=len(t)) * (t > 0.5 * seconds)
    return Sound(((0.3 * partials + breath) * (t < 0.8 * seconds))[None].astype(np.float32), RATE)


def spectra(samples, n_fft=256, hop=64):
    """Compute magnitudes independently: frames centred on every hop-th sample, silence on both sides."""
    _, _, z = scipy.signal.stft(
        samples, nperseg=n_fft, noverlap=n_fft - hop, boundary="zeros", padded=False, scaling="spectrum"
    )
    return np.abs(z) * n_fft / 2  # scaled there by the sum of the window


def magnitudes_of(codec, x):
    return (x * codec.std + codec.mean).exp()


def convergence(found, sound):
    """Tell how far the spectra are from those wanted, in dB."""
    wanted = spectra(sound.samples)
    return 20 * np.log10(np.linalg.norm(spectra(found.samples) - wanted) / np.linalg.norm(wanted))


def test_the_layout_is_that_of_an_independent_transform():
    codec, sound = codec_of(channels=2, floor=1e-6), noise(2)
    codec.fit([sound])
    x = codec.encode(sound)
    assert (x.shape, x.dtype) == (codec.shape, torch.float32)
    assert codec.shape == (2 * 129, 125)
    assert codec.channels == 2 * 129
    expected = spectra(sound.samples)[..., :125].reshape(2 * 129, 125)
    np.testing.assert_allclose(magnitudes_of(codec, x), expected, rtol=2e-3, atol=1e-5)


def test_a_full_scale_sine_has_a_quarter_of_the_transforms_length():
    codec = codec_of()
    magnitudes = magnitudes_of(codec, codec.encode(sines([(1000, 1.0)])))
    np.testing.assert_allclose(magnitudes[32, 5:-5], 64, rtol=1e-4)


def test_what_is_below_the_floor_is_encoded_as_the_floor():
    codec = codec_of(floor=0.5)
    x = codec.encode(sines([(1000, 1.0)], seconds=0.5))
    assert magnitudes_of(codec, x).min() == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_allclose(magnitudes_of(codec, x)[:, 66:], 0.5, rtol=1e-5)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_the_window_is_a_whole_number_of_frames(rate):
    codec = Spectrogram(rate, 0.768, n_fft=256, hop=64, multiple=8)
    assert codec.shape == (129, 96 if rate == 8000 else 536)
    assert codec_of(0.768).shape == (129, 96)
    assert codec_of(0.7681).shape == (129, 97)


def test_a_size_is_rounded_up_and_cut_to_the_sample():
    codec = codec_of(multiple=8)
    assert codec.shape_for("2.5s") == (129, 320)
    (sound,) = codec.decode(torch.randn(1, *codec.shape_for("2.5s")))
    assert (sound.rate, sound.frames, sound.samples.dtype) == (RATE, 320 * 64, np.float32)
    assert codec.cut(sound, "2.5s").samples.shape == (1, 20000)


def test_the_shortest_sounds_are_one_frame():
    codec = codec_of()
    assert codec.shape_for("0.001") == (129, 1)
    (sound,) = codec.decode(torch.randn(1, 129, 1))
    assert sound.frames == 64
    assert codec.cut(sound, "0.001").frames == 8


def test_each_bin_is_standardised_over_what_sounds():
    sounds = [
        noise(2, frames, level, seed) for seed, (frames, level) in enumerate([(8000, 0.5), (3000, 0.01), (20, 0.1)])
    ]
    codec = codec_of(channels=2)
    codec.fit(iter(sounds))
    frames = [codec.encode(sound)[:, : math.ceil(sound.frames / 64)] for sound in sounds]
    together = torch.cat(frames, dim=1).double()
    assert together.shape == (258, 125 + 47 + 1)
    torch.testing.assert_close(together.mean(dim=1), torch.zeros(258).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(together.std(dim=1, correction=0), torch.ones(258).double(), atol=1e-5, rtol=0)


def test_bins_that_never_vary_are_left_at_zero():
    codec = codec_of()
    codec.fit([Sound(np.zeros((1, 4000), np.float32), RATE)])
    assert (codec.std == 0.5).all()
    x = codec.encode(Sound(np.zeros((1, 4000), np.float32), RATE))
    torch.testing.assert_close(x, torch.zeros_like(x), atol=1e-5, rtol=0)


def test_the_statistics_are_saved_with_the_model():
    codec, other = codec_of(), codec_of()
    codec.fit([noise()])
    other.load_state_dict(codec.state_dict())
    assert torch.equal(other.encode(voice()), codec.encode(voice()))


@pytest.mark.parametrize("fitted", [False, True])
def test_silence_stays_silence(fitted):
    codec = codec_of(channels=2, iterations=4)
    if fitted:
        codec.fit([noise(2)])
    x = codec.encode(Sound(np.zeros((2, 5000), np.float32), RATE))
    slightly_wrong = x + 0.1 * torch.rand(x.shape) / codec.std
    for sound in codec.decode(torch.stack([x, slightly_wrong])):
        assert not sound.samples.any()


def test_silence_beside_sound_stays_silence():
    codec = codec_of()
    sound = sines([(440, 0.5)], seconds=0.5)
    codec.fit([sound])
    (found,) = codec.decode(codec.encode(sound)[None])
    assert np.abs(found.samples[0, :3000]).max() > 0.4
    assert not found.samples[0, 4000 + 256 :].any()


def peaks(samples, frequencies):
    """Measure frequency and amplitude of the partials nearest to these, by a long windowed transform."""
    window = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples * window, 16 * len(samples))) / window.sum() * 2
    hz = np.fft.rfftfreq(16 * len(samples), 1 / RATE)
    found = []
    for frequency in frequencies:
        near = np.flatnonzero(np.abs(hz - frequency) < 20)
        top = near[spectrum[near].argmax()]
        before, at, after = np.log(spectrum[top - 1 : top + 2])
        found.append((hz[top] + (before - after) / (before - 2 * at + after) / 2 * hz[1], spectrum[top]))
    return found


@pytest.mark.parametrize(
    ("n_fft", "chord"),
    [
        (256, [(440.0, 0.5)]),
        (256, [(600.0, 0.02)]),
        (256, [(220.0 * k, 0.3 / k) for k in range(1, 12)]),
        (1024, [(440.0, 0.3), (554.37, 0.2), (659.26, 0.1), (1567.98, 0.05)]),
    ],
)
def test_a_chord_comes_back_within_a_cent_and_a_tenth_of_a_decibel(n_fft, chord):
    codec = codec_of(2.0, n_fft=n_fft, hop=n_fft // 4)
    sound = sines(chord, seconds=2.0)
    codec.fit([sound])
    (found,) = codec.decode(codec.encode(sound)[None])
    measured = peaks(found.samples[0, 1000:-1000], [frequency for frequency, _ in chord])
    for (frequency, amplitude), (hz, level) in zip(chord, measured, strict=True):
        assert abs(1200 * math.log2(hz / frequency)) < 1.3
        assert abs(20 * math.log10(level / amplitude)) < 0.1


def test_a_note_that_begins_with_the_sound_begins_with_it_again():
    sound = sines([(220 * k, 0.3 / k) for k in range(1, 12)])
    sound.samples[:] *= np.exp(-6 * np.arange(sound.frames) / RATE)
    codec = codec_of()
    codec.fit([sound])
    (found,) = codec.decode(codec.encode(sound)[None])
    assert convergence(found, sound) < -35
    for first in range(0, 512, 128):
        levels = [np.square(each.samples[0, first : first + 128]).mean() for each in (found, sound)]
        assert 10 * math.log10(levels[0] / levels[1]) == pytest.approx(0, abs=1)


def test_griffin_lim_converges():
    sound = voice(seconds=0.6)
    reached = []
    for iterations, momentum in [(4, 0.0), (32, 0.0), (32, 0.99), (64, 0.99)]:
        codec = codec_of(0.6, iterations=iterations, momentum=momentum)
        codec.fit([sound])
        (found,) = codec.decode(codec.encode(sound)[None])
        reached.append(convergence(found, sound))
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] < -26


def test_a_sound_depends_on_neither_its_batch_nor_chance():
    codec = codec_of(4.0, iterations=4)
    codec.fit([voice()])
    pitches = range(100, 200, 10)  # more than are worked on together
    x = torch.stack([codec.encode(voice(pitch, 4.0)) for pitch in pitches])
    state = torch.get_rng_state()
    together = codec.decode(x)
    assert torch.equal(torch.get_rng_state(), state)
    for row in (0, 7, 9):
        (alone,) = codec.decode(x[row : row + 1])
        np.testing.assert_allclose(alone.samples, together[row].samples, atol=1e-5)


def test_stereo_keeps_its_sides():
    left, right = sines([(500, 0.5)]), sines([(1500, 0.05)])
    codec = codec_of(channels=2)
    x = codec.encode(Sound(np.vstack([left.samples, right.samples]), RATE))
    both = magnitudes_of(codec, x).unflatten(0, (2, 129))
    assert both.mean(dim=2).argmax(dim=1).tolist() == [16, 48]
    (found,) = codec.decode(x[None])
    for samples, (frequency, amplitude) in zip(found.samples, [(500, 0.5), (1500, 0.05)], strict=True):
        ((hz, level),) = peaks(samples, [frequency])
        assert hz == pytest.approx(frequency, abs=0.3)
        assert level == pytest.approx(amplitude, rel=0.06)


def test_other_rates_are_converted():
    codec = codec_of()
    same = codec.encode(sines([(440, 0.3), (1000, 0.1)]))
    other = codec.encode(sines([(440, 0.3), (1000, 0.1)], rate=44100))
    heard = magnitudes_of(codec, same) > 0.1
    assert (same - other)[:, 5:-5][heard[:, 5:-5]].abs().max() < 0.01


def test_the_mask_counts_frames_that_begin_within_the_sound():
    codec = codec_of(pad="mask")
    for frames, sounding in [(8000, 125), (64, 1), (65, 2), (20000, 125)]:
        mask = codec.mask(noise(1, frames))
        assert mask.shape == (1, 125)
        assert torch.equal(mask[0], (torch.arange(125) < sounding).float())
    assert codec_of().mask(noise()) is None


def test_decoding_takes_half_precision():
    codec = codec_of()
    codec.fit([voice()])
    (found,) = codec.decode(codec.encode(voice())[None].bfloat16())
    assert convergence(found, voice()) < -20


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e5])
def test_what_is_not_finite_or_becomes_so_is_refused(value):
    with pytest.raises(PolydiffError, match="diverged"):
        codec_of().decode(torch.full((1, 129, 8), value))


def test_sounds_that_cannot_be_encoded_are_refused():
    with pytest.raises(DataError, match="uint8"):
        codec_of().encode(Sound(np.zeros((1, 100), np.uint8), RATE))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_fft": 255}, "n_fft is 255; it must be even"),
        ({"n_fft": 2}, "n_fft is 2"),
        ({"hop": 0}, "hop is 0"),
        ({"hop": 65}, "for n_fft=256 it must be from 1 to 64"),
        ({"floor": 0}, "floor is 0"),
        ({"floor": 1.0}, r"floor is 1\.0"),
        ({"floor": math.nan}, "floor is nan"),
        ({"iterations": 0}, "iterations is 0"),
        ({"momentum": 1.0}, r"momentum is 1\.0"),
        ({"momentum": -0.1}, r"momentum is -0\.1"),
        ({"rate": 0}, "rate is 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Spectrogram(**{"rate": RATE, "duration": 1.0, "n_fft": 256, "hop": 64, **options})


@pytest.mark.parametrize(("n_fft", "hop"), [(256, 64), (256, 50), (512, 64), (30, 7)])
def test_any_hop_up_to_a_quarter_of_the_transform_works(n_fft, hop):
    codec = Spectrogram(RATE, 0.5, n_fft=n_fft, hop=hop)
    sound = sines([(600, 0.5)], seconds=0.5)
    (found,) = codec.decode(codec.encode(sound)[None])
    assert found.frames == codec.shape[1] * hop
    assert np.abs(found.samples[0, n_fft:-n_fft]).max() == pytest.approx(0.5, rel=0.05)
