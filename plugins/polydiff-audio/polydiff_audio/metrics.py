"""Distances between generated and real sounds; each gives a record that says what the number depends on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polydiff.errors import DataError, UsageError
from polydiff.metrics.blocks import squared_distances
from polydiff.metrics.frechet import frechet_distance
from polydiff.metrics.mmd import kernel_mmd2
from polydiff_audio import pitch, stft
from polydiff_audio.embeddings import Embedding, checked, embed, find_embedding
from polydiff_audio.resample import resample
from polydiff_audio.sound import Audible, Sound

WITHIN = 0.5
"""Semitones up to which a pitch is the one meant."""

_FOR_SCALE = 1000
"""Real sounds, at most, among which `mmd` looks for its scale."""


def frechet(
    generated: Sequence[Audible], real: Sequence[Audible], *, embedding: Embedding | str | Path = "log-mel"
) -> dict[str, Any]:
    """Give the Frechet distance between Gaussians fitted to the embeddings of two sets of sounds.

    Parameters
    ----------
    generated, real
        At least 2 each. The fewer, the larger the distance, also between sets of the same kind: that is what
        `real_against_real` is for.
    embedding
        "log-mel", an `Embedding`, or a folder with a model of transformers.

    Returns
    -------
    dict
        `value`; `real_against_real`, the `value` between the even and the odd places of `real` and their `counts`, or
        `None` for fewer than 4; `embedding`; of `generated` and `real` their `count`, total `seconds` and `rates`.

    Raises
    ------
    UsageError
        When there are too few sounds, or no such embedding.
    DataError
        When a sound is empty or not finite.
    """
    chosen = find_embedding(embedding)
    x, y = embed(chosen, generated, "generated"), embed(chosen, real, "real")
    return _values(frechet_distance, x, y) | _circumstances(chosen, y.shape[1], generated, real)


def mmd(
    generated: Sequence[Audible],
    real: Sequence[Audible],
    *,
    embedding: Embedding | str | Path = "log-mel",
    scale: float | None = None,
) -> dict[str, Any]:
    """Give the unbiased estimate of the squared maximum mean discrepancy between the embeddings of two sets of sounds.

    Parameters
    ----------
    generated, real, embedding
        As of `frechet`.
    scale
        Of the kernel exp(-scale |a - b|^2); by default one over the median of |a - b|^2 between real sounds.

    Returns
    -------
    dict
        As of `frechet`, and `scale`.

    Raises
    ------
    UsageError
        When there are too few sounds, or no such embedding.
    DataError
        When a sound is empty or not finite, or real sounds do not differ and no scale is given.
    """
    chosen = find_embedding(embedding)
    x, y = embed(chosen, generated, "generated"), embed(chosen, real, "real")
    kernel = _median_scale(y) if scale is None else scale
    values = _values(lambda a, b: kernel_mmd2(a, b, kernel), x, y)
    return values | {"scale": kernel} | _circumstances(chosen, y.shape[1], generated, real)


def stft_distance(generated: Sequence[Audible], real: Sequence[Audible], *, rate: int | None = None) -> dict[str, Any]:
    """Give the mean multi-resolution STFT distance of pairs: spectral convergence plus log magnitude (see `stft`).

    Parameters
    ----------
    generated, real
        As many of each; those of a pair have one duration and number of channels.
    rate
        The sample rate in Hz at which to compare; by default that of the first real sound.

    Returns
    -------
    dict
        `value`, its parts `convergence` and `log_magnitude`, `rate`, `resolutions` in samples at that rate, `floor`,
        and `count`.

    Raises
    ------
    UsageError
        When there are not as many of each.
    DataError
        When a sound is empty or not finite, or the sounds of a pair differ in duration or channels.
    """
    pairs = _pairs(generated, real)
    at = real[0].rate if rate is None else rate
    distances = [stft.distance(*_aligned(*pair, at, place), at) for place, pair in enumerate(pairs)]
    convergence = float(np.mean([each.convergence for each in distances]))
    log_magnitude = float(np.mean([each.log_magnitude for each in distances]))
    return {
        "value": convergence + log_magnitude,
        "convergence": convergence,
        "log_magnitude": log_magnitude,
        "rate": at,
        "resolutions": [asdict(each) for each in stft.resolutions(at)],
        "floor": stft.FLOOR,
        "count": len(distances),
    }


def pitch_error(
    generated: Sequence[Audible], real: Sequence[Audible] = (), *, asked: Sequence[float] | None = None
) -> dict[str, Any]:
    """Give how far pitches are from those of the real sounds of pairs, or from those asked for.

    Parameters
    ----------
    generated
        Notes, of any sample rates.
    real
        As many, unless pitches are asked for.
    asked
        MIDI numbers, 69 is 440 Hz; one for each of `generated`.

    Returns
    -------
    dict
        `value`, the median of the absolute errors in semitones (`None` where nothing generated has a pitch);
        `within_half`, the share whose error is at most half a semitone, those without a pitch counting as wrong;
        `count`, the pairs; `unpitched`, those whose generated sound has no pitch; `left_out`, those beside them whose
        real sound has none; `reference`, "real" or "asked"; sample `rates` and `estimator`.

    Raises
    ------
    UsageError
        When there are not as many of each.
    DataError
        When a sound is empty or not finite.
    """
    if asked is None:
        pairs = _pairs(generated, real)
        heard, reference = _pitches([sound for sound, _ in pairs]), _pitches([true for _, true in pairs])
    elif len(asked) == len(generated):
        heard, reference = _pitches(checked(generated, "generated")), np.asarray(asked, np.float64)
    else:
        raise UsageError(f"{len(asked)} pitches are asked for of {len(generated)} sounds")
    errors = np.abs(heard - reference)[~np.isnan(reference)]
    known = errors[~np.isnan(errors)]
    return {
        "value": float(np.median(known)) if len(known) else None,
        "within_half": float((known <= WITHIN).sum() / len(errors)) if len(errors) else None,
        "count": len(errors),
        "unpitched": len(errors) - len(known),
        "left_out": len(reference) - len(errors),
        "reference": "real" if asked is None else "asked",
        "rates": _rates(generated),
        "estimator": {"name": "yin", "lowest": pitch.LOWEST, "highest": pitch.HIGHEST},
    }


def _pitches(sounds: Sequence[Sound]) -> NDArray[np.float64]:
    return np.array([pitch.pitch(each.samples, each.rate) for each in sounds])


def _values(distance: Callable[[Tensor, Tensor], float], x: Tensor, y: Tensor) -> dict[str, Any]:
    value = distance(x, y)
    even, odd = y[::2], y[1::2]
    if len(odd) < 2:
        return {"value": value, "real_against_real": None}
    return {"value": value, "real_against_real": {"value": distance(even, odd), "counts": [len(even), len(odd)]}}


def _circumstances(
    embedding: Embedding, dimensions: int, generated: Sequence[Audible], real: Sequence[Audible]
) -> dict[str, Any]:
    return {
        "embedding": {
            "name": embedding.name,
            "rate": embedding.rate,
            "dimensions": dimensions,
            **embedding.details,
        },
        "generated": _about(generated),
        "real": _about(real),
    }


def _about(sounds: Sequence[Audible]) -> dict[str, Any]:
    seconds = math.fsum(each.frames / each.rate for each in sounds)
    return {"count": len(sounds), "seconds": seconds, "rates": _rates(sounds)}


def _rates(sounds: Sequence[Audible]) -> list[int]:
    return sorted({each.rate for each in sounds})


def _median_scale(points: Tensor) -> float:
    """Give one over the median squared distance of different points (Gretton et al. 2012, section 8)."""
    some = points[:: math.ceil(len(points) / _FOR_SCALE)]
    rows, columns = torch.triu_indices(len(some), len(some), 1)
    between = squared_distances(some, some)[rows, columns]
    median = float(between.median()) if len(between) else 0.0
    if not median:
        raise DataError("real sounds do not differ enough to tell a scale; give one")
    return 1 / median


def _pairs(generated: Sequence[Audible], real: Sequence[Audible]) -> list[tuple[Sound, Sound]]:
    if len(generated) != len(real):
        raise UsageError(f"{len(generated)} generated and {len(real)} real sounds are no pairs")
    return list(zip(checked(generated, "generated"), checked(real, "real"), strict=True))


def _aligned(sound: Sound, true: Sound, rate: int, place: int) -> tuple[Tensor, Tensor]:
    """Bring a pair to one sample rate; a frame's difference in length is a matter of rounding."""
    first, second = (torch.from_numpy(resample(each.samples, each.rate, rate)) for each in (sound, true))
    if len(first) != len(second) or abs(first.shape[1] - second.shape[1]) > 1:
        shapes = " and ".join(f"{each.channels} x {each.frames / each.rate:.3f} s" for each in (sound, true))
        raise DataError(f"the sounds of pair {place} are of different shapes, {shapes}: cut them first")
    frames = min(first.shape[1], second.shape[1])
    return first[:, :frames], second[:, :frames]
