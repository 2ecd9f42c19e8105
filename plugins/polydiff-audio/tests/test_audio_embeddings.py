"""Sounds as points."""

import numpy as np
import pytest
import torch
from polydiff_audio.embeddings import BATCH, Embedding, embed, find_embedding, log_mel
from polydiff_audio.sound import Sound
from scipy.signal import get_window

from polydiff.errors import DataError, UsageError

MEANS = Embedding("means", 8000, lambda waveforms: waveforms.mean(1, keepdim=True))


def noise(seconds=1.0, level=0.1, rate=16000, seed=0, channels=1):
    samples = np.random.default_rng(seed).standard_normal((channels, round(seconds * rate)))
    return Sound((level * samples).astype(np.float32), rate)


def constant(level, frames=100, rate=8000):
    return Sound(np.full((1, frames), level, np.float32), rate)


def mel_filters(bands, bins, rate):
    """Triangles, evenly spaced on the mel scale of HTK."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2) / 2595) - 1)
    frequencies = np.linspace(0, rate / 2, bins)
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    return np.minimum(rising, falling).clip(0)


def by_hand(samples):
    window = get_window("hann", 512)
    padded = np.pad(samples.astype(np.float64), 256)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::160]
    powers = np.abs(np.fft.rfft(frames * window)) ** 2 @ mel_filters(32, 257, 16000)
    levels = 10 * np.log10((powers / (window.sum() ** 2 / 4)).clip(1e-8))
    return np.concatenate([levels.mean(0), levels.std(0), np.diff(levels, axis=0).std(0)])


@pytest.mark.parametrize("sound", [noise(), noise(level=1e-6), constant(0.3, 4000, 16000)])
def test_log_mel_by_hand(sound):
    points = embed(log_mel(), [sound], "real")
    np.testing.assert_allclose(points[0], by_hand(sound.samples[0]), atol=2e-3)


def test_log_mel_counts_decibels():
    soft, loud = embed(log_mel(), [noise(level=0.01), noise(level=0.1)], "real")
    torch.testing.assert_close((loud - soft)[:32], torch.full((32,), 20.0, dtype=torch.float64), atol=1e-3, rtol=0)
    torch.testing.assert_close(loud[32:], soft[32:], atol=1e-3, rtol=0)


def test_log_mel_tells_steady_from_changing_sounds():
    pulsed = noise()
    pulsed.samples[:] *= np.arange(16000) // 2000 % 2
    steady, changing = embed(log_mel(), [noise(), pulsed], "real")
    assert (changing[32:] > 2 * steady[32:]).all()


@pytest.mark.parametrize("frames", [1, 159, 160, 161])
def test_log_mel_of_hardly_any_samples(frames):
    assert torch.isfinite(embed(log_mel(), [constant(0.1, frames, 16000)], "real")).all()


@pytest.mark.parametrize("rate", [8000, 22050])
def test_log_mel_at_another_rate(rate):
    points = embed(log_mel(rate), [noise(rate=rate)], "real")
    assert points.shape == (1, 96)
    assert (points[0, :32] > -79).all(), "a band without a frequency"


def test_points_come_in_the_order_of_the_sounds():
    """In batches of one length, none of them too large."""
    sizes = []

    def means(waveforms):
        sizes.append(tuple(waveforms.shape))
        return waveforms.mean(1, keepdim=True)

    sounds = [constant(place / 100, 50 + place % 3) for place in range(3 * BATCH + 5)]
    points = embed(Embedding("means", 8000, means), sounds, "real")
    assert points[:, 0].tolist() == pytest.approx([place / 100 for place in range(3 * BATCH + 5)])
    assert max(batch for batch, _ in sizes) == BATCH
    assert {length for _, length in sizes} == {50, 51, 52}


def test_sounds_are_brought_to_the_rate_of_the_embedding():
    lengths = Embedding("lengths", 8000, lambda waveforms: torch.full((len(waveforms), 1), waveforms.shape[1]))
    sounds = [noise(0.5, rate=rate) for rate in (8000, 16000, 44100)]
    assert embed(lengths, sounds, "real")[:, 0].tolist() == [4000, 4000, 4000]
    rms = Embedding("rms", 8000, lambda waveforms: waveforms.square().mean(1, keepdim=True).sqrt())
    tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000, dtype=np.float32)[None]
    assert embed(rms, [Sound(tone, 16000)], "real").item() == pytest.approx(0.5**0.5, abs=0.01)


def test_channels_count_by_their_mean():
    stereo = Sound(np.array([[0.5] * 10, [-0.1] * 10], np.float32), 8000)
    assert embed(MEANS, [stereo], "real").item() == pytest.approx(0.2)


def test_a_module_is_an_embedding():
    module = torch.nn.Linear(100, 7).eval()
    points = embed(Embedding("linear", 8000, module), [constant(0.5)] * 3, "real")
    assert (points.shape, points.dtype, points.requires_grad) == ((3, 7), torch.float64, False)
    expected = 0.5 * module.weight.sum(1) + module.bias
    torch.testing.assert_close(points[1].float(), expected.detach())


def test_a_module_in_training_mode_is_refused():
    with pytest.raises(UsageError, match="'linear' is in training mode"):
        embed(Embedding("linear", 8000, torch.nn.Linear(100, 7)), [constant(0.5)], "real")


@pytest.mark.parametrize("function", [lambda waveforms: waveforms[None], lambda waveforms: waveforms.new_zeros(3, 2)])
def test_what_gives_no_point_a_sound_is_refused(function):
    with pytest.raises(UsageError, match=r"'odd' makes .* of \(1, 100\), not one row a sound"):
        embed(Embedding("odd", 8000, function), [constant(0.5)], "real")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (constant(0.5, 0), "generated sound 1 has no samples"),
        (constant(np.nan), "generated sound 1 has samples that are not finite"),
        (constant(-np.inf), "generated sound 1 has samples that are not finite"),
    ],
)
def test_bad_sounds_are_named(bad, message):
    with pytest.raises(DataError, match=message):
        embed(MEANS, [constant(0.5), bad], "generated")


def test_no_sounds_are_refused():
    with pytest.raises(DataError, match="there are no real sounds"):
        embed(MEANS, [], "real")


def test_embeddings_are_found():
    assert find_embedding(MEANS) is MEANS
    assert find_embedding("log-mel").name == "log-mel"


def test_an_unknown_embedding_is_refused():
    with pytest.raises(UsageError, match="'log_mel' is no embedding and no folder; did you mean 'log-mel'"):
        find_embedding("log_mel")
