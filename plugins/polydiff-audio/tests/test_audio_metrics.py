"""Distances between sets and pairs of sounds, and their records."""

import json
import math

import numpy as np
import pytest
import torch
from polydiff_audio import metrics, stft
from polydiff_audio.embeddings import Embedding
from polydiff_audio.metrics import frechet, mmd, pitch_error, stft_distance
from polydiff_audio.pitch import to_hertz
from polydiff_audio.sound import Sound
from scipy.linalg import sqrtm
from scipy.signal import get_window
from scipy.spatial.distance import pdist

from polydiff.errors import DataError, UsageError
from polydiff.metrics.mmd import kernel_mmd2

DIRECT = Embedding("direct", 8000, lambda waveforms: waveforms, {"note": "the samples themselves"})
"""Makes a sound of d samples the point that they say."""


def as_sounds(points, rate=8000):
    return [Sound(np.asarray(point, np.float32)[None], rate) for point in points]


def normal(count, dimensions, seed=0):
    """Draw points whose mean is 0 and whose covariance is 1, exactly."""
    points = np.random.default_rng(seed).standard_normal((count, dimensions))
    points -= points.mean(0)
    return points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T


def test_frechet_of_known_gaussians():
    """N(m, s^2 1) against N(0, 1) in d dimensions: |m|^2 + d (s - 1)^2."""
    mean, spread = np.array([1.0, -2.0, 0.5]), 3.0
    record = frechet(as_sounds(mean + spread * normal(200, 3)), as_sounds(normal(300, 3, 1)), embedding=DIRECT)
    assert record["value"] == pytest.approx((mean**2).sum() + 3 * (spread - 1) ** 2, rel=1e-5)


def test_frechet_beside_real_against_real():
    generator = np.random.default_rng(0)
    real = generator.standard_normal((41, 4)) @ generator.standard_normal((4, 4))
    record = frechet(as_sounds(real), as_sounds(real), embedding=DIRECT)
    assert record["value"] == pytest.approx(0, abs=1e-5)
    even, odd = real[::2], real[1::2]
    a, b = np.cov(even.T), np.cov(odd.T)
    expected = ((even.mean(0) - odd.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert record["real_against_real"]["value"] == pytest.approx(expected, rel=1e-4)
    assert record["real_against_real"]["counts"] == [21, 20]


@pytest.mark.parametrize("metric", [frechet, mmd])
def test_a_few_real_sounds_have_no_halves(metric):
    record = metric(as_sounds(normal(5, 2)), as_sounds(normal(3, 2)), embedding=DIRECT)
    assert record["real_against_real"] is None


def test_mmd_has_the_scale_of_real_sounds():
    generated, real = normal(30, 3) + 0.5, 2 * normal(40, 3, 1)
    record = mmd(as_sounds(generated), as_sounds(real), embedding=DIRECT)
    assert record["scale"] == pytest.approx(1 / np.median(pdist(real) ** 2), rel=1e-3)
    expected = kernel_mmd2(torch.from_numpy(generated), torch.from_numpy(real), record["scale"])
    assert record["value"] == pytest.approx(expected, abs=1e-6)


def test_mmd_takes_a_scale():
    generated, real = normal(30, 3), normal(40, 3, 1)
    record = mmd(as_sounds(generated), as_sounds(real), embedding=DIRECT, scale=0.3)
    expected = kernel_mmd2(torch.from_numpy(generated), torch.from_numpy(real), 0.3)
    assert (record["scale"], record["value"]) == (0.3, pytest.approx(expected, abs=1e-6))


def test_mmd_looks_for_its_scale_among_a_part_of_many_sounds(monkeypatch):
    monkeypatch.setattr(metrics, "_FOR_SCALE", 10)
    real = normal(35, 2)
    record = mmd(as_sounds(real), as_sounds(real), embedding=DIRECT)
    assert record["scale"] == pytest.approx(1 / np.median(pdist(real[::4]) ** 2), rel=0.1)


def test_equal_sounds_tell_no_scale():
    with pytest.raises(DataError, match="do not differ enough"):
        mmd(as_sounds(normal(5, 2)), as_sounds(np.ones((5, 2))), embedding=DIRECT)


@pytest.mark.parametrize("metric", [frechet, mmd])
def test_the_record_of_sets_is_complete(metric):
    generated = [*as_sounds(np.full((3, 4000), 0.1) * np.arange(1, 4)[:, None]), *as_sounds(np.ones((1, 8000)), 16000)]
    real = as_sounds(0.1 * np.random.default_rng(0).standard_normal((5, 2000)))
    record = metric(generated, real)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    told = record["embedding"]
    assert (told["name"], told["rate"], told["dimensions"], told["bands"]) == ("log-mel", 16000, 96, 32)
    assert record["generated"] == {"count": 4, "seconds": 2.0, "rates": [8000, 16000]}
    assert record["real"] == {"count": 5, "seconds": 1.25, "rates": [8000]}
    assert metric(as_sounds(normal(4, 2)), as_sounds(normal(4, 2)), embedding=DIRECT)["embedding"] == {
        "name": "direct",
        "rate": 8000,
        "dimensions": 2,
        "note": "the samples themselves",
    }


@pytest.mark.parametrize("metric", [frechet, mmd])
def test_sets_of_one_sound_are_refused(metric):
    with pytest.raises(UsageError, match="at least 2 samples"):
        metric(as_sounds([[1.0, 2.0]]), as_sounds(normal(5, 2)), embedding=DIRECT)


def noise(seconds=0.5, rate=16000, seed=0, channels=1):
    samples = np.random.default_rng(seed).standard_normal((channels, round(seconds * rate)))
    return Sound((0.1 * samples).astype(np.float32), rate)


def test_equal_pairs_are_at_no_distance():
    pairs = [noise(seed=0), noise(seed=1, channels=2), Sound(np.zeros((1, 100), np.float32), 16000)]
    record = stft_distance(pairs, pairs)
    assert (record["value"], record["convergence"], record["log_magnitude"]) == (0, 0, 0)


@pytest.mark.parametrize("factor", [0.5, 2.0, -3.0])
def test_a_scaled_copy_is_at_a_known_distance(factor):
    """|1 - |g|| of spectral convergence and |log |g|| of log magnitude, wherever noise is above the floor."""
    record = stft_distance([Sound(noise().samples * np.float32(factor), 16000)], [noise()])
    assert record["convergence"] == pytest.approx(abs(1 - abs(factor)), rel=1e-5)
    assert record["log_magnitude"] == pytest.approx(abs(math.log(abs(factor))), rel=1e-3)
    assert record["value"] == record["convergence"] + record["log_magnitude"]


def test_resolutions_are_those_published():
    assert stft.resolutions(24000) == [
        stft.Resolution(1024, 120, 600),
        stft.Resolution(2048, 240, 1200),
        stft.Resolution(512, 50, 240),
    ]


@pytest.mark.parametrize("rate", [1000, 8000, 16000, 22050, 44100, 96000])
def test_resolutions_last_as_long_at_every_rate(rate):
    for here, there in zip(stft.resolutions(rate), stft.resolutions(24000), strict=True):
        assert here.window / rate == pytest.approx(there.window / 24000, abs=0.51 / rate)
        assert here.hop / rate == pytest.approx(there.hop / 24000, abs=0.51 / rate)
        assert here.transform >= here.window
        assert here.transform & (here.transform - 1) == 0


def by_hand(sound, real, rate):
    """The paper's equations on magnitudes relative to a sine at full scale."""
    distances = []
    for each in stft.resolutions(rate):
        window = get_window("hann", each.window)
        before = (each.transform - each.window) // 2
        magnitudes = []
        for samples in (sound, real):
            padded = np.pad(samples.astype(np.float64), each.transform // 2)
            frames = np.lib.stride_tricks.sliding_window_view(padded, each.transform)[:: each.hop]
            windowed = np.zeros(frames.shape)
            windowed[:, before : before + each.window] = frames[:, before : before + each.window] * window
            magnitudes.append(np.maximum(np.abs(np.fft.rfft(windowed)) * 2 / window.sum(), 1e-4))
        x, y = magnitudes
        distances.append((np.linalg.norm(y - x) / np.linalg.norm(y), np.abs(np.log(y) - np.log(x)).mean()))
    return np.mean(distances, 0)


def test_the_distance_by_hand():
    sound, real = noise(), noise(seed=1)
    sound.samples[:, :4000] = 0
    record = stft_distance([sound], [real])
    expected = by_hand(sound.samples[0], real.samples[0], 16000)
    assert [record["convergence"], record["log_magnitude"]] == pytest.approx(expected, rel=1e-4)


def test_pairs_of_different_rates_are_compared_at_one():
    tone = lambda rate: Sound(np.sin(2 * np.pi * 500 * np.arange(rate) / rate, dtype=np.float32)[None], rate)  # noqa: E731
    record = stft_distance([tone(16000), tone(22050)], [tone(8000), tone(8000)])
    assert record["convergence"] < 0.02
    assert (record["rate"], record["count"], record["floor"]) == (8000, 2, 1e-4)
    assert record["resolutions"][0] == {"transform": 512, "hop": 40, "window": 200}
    assert stft_distance([tone(16000)], [tone(8000)], rate=16000)["rate"] == 16000
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize("other", [noise(0.6), noise(channels=2)])
def test_pairs_of_different_shapes_are_refused(other):
    with pytest.raises(DataError, match=r"pair 1 .* 1 x 0\.500 s and .*: cut them first"):
        stft_distance([noise(), noise()], [noise(), other])


@pytest.mark.parametrize("metric", [stft_distance, pitch_error])
def test_what_is_no_pair_is_refused(metric):
    with pytest.raises(UsageError, match="1 generated and 2 real sounds are no pairs"):
        metric([noise()], [noise(), noise()])


@pytest.mark.parametrize("metric", [stft_distance, pitch_error])
def test_bad_sounds_of_pairs_are_named(metric):
    broken = Sound(np.full((1, 8000), np.nan, np.float32), 16000)
    with pytest.raises(DataError, match="real sound 1 has samples that are not finite"):
        metric([noise(), noise()], [noise(), broken])


def note(midi, rate=16000):
    time = np.arange(rate // 2) / rate
    tone = sum(np.sin(2 * np.pi * to_hertz(midi) * k * time) / k for k in (1, 2, 3))
    return Sound((0.3 * tone).astype(np.float32)[None], rate)


def test_pitches_asked_for():
    """Off by 0, 0.3, -0.4, 0.8 and an octave; the median of these is 0.4."""
    sung = [note(60), note(62.3), note(63.6, 8000), note(65.8), note(79)]
    record = pitch_error(sung, asked=[60, 62, 64, 65, 67])
    assert record["value"] == pytest.approx(0.4, abs=0.02)
    assert record["within_half"] == 0.6
    assert (record["count"], record["unpitched"], record["left_out"]) == (5, 0, 0)
    assert (record["reference"], record["rates"], record["estimator"]["name"]) == ("asked", [8000, 16000], "yin")
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_pitches_of_pairs():
    record = pitch_error([note(60.2), noise(), note(64), noise()], [note(60), note(62), noise(), noise()])
    assert record["value"] == pytest.approx(0.2, abs=0.02)
    assert (record["count"], record["unpitched"], record["left_out"]) == (2, 1, 2)
    assert (record["within_half"], record["reference"]) == (0.5, "real")


def test_nothing_with_a_pitch():
    record = pitch_error([noise()], asked=[60])
    assert (record["value"], record["within_half"], record["count"], record["unpitched"]) == (None, 0.0, 1, 1)
    record = pitch_error([noise()], [noise()])
    assert (record["value"], record["within_half"], record["count"], record["left_out"]) == (None, None, 0, 1)


def test_as_many_pitches_as_sounds():
    with pytest.raises(UsageError, match="2 pitches are asked for of 1 sounds"):
        pitch_error([noise()], asked=[60, 61])
