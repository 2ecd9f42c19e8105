"""How loud sounds are, against what files hold."""

from __future__ import annotations

import math

import numpy as np

from polydiff_audio.sound import Audible, Samples, Sound

TARGET = -1.0
"""Where `to_full_scale` puts peaks, in dB; the room above is for what lossy formats and converters add."""

_SILENCE = 2.0**-16
"""Peaks up to this one become zeros in a file of 16 bits."""


def peak(samples: Samples) -> float:
    """Give the largest absolute value among the samples that are finite; 0 when there are none."""
    return float(np.max(np.abs(samples), where=np.isfinite(samples), initial=0))


def peak_db(sound: Audible) -> float:
    """Give the peak in dB relative to full scale; -inf for silence."""
    return decibels(peak(sound.samples))


def decibels(amplitude: float) -> float:
    """Give an amplitude in dB relative to 1; -inf for 0."""
    return 20 * math.log10(amplitude) if amplitude else -math.inf


def to_full_scale(sound: Audible) -> Sound:
    """Bring the peak of a sound, loud or soft, to `TARGET`, its channels by one factor.

    Silence, and what a file of 16 bits would hold as such, stays as it is.
    """
    loudest = peak(sound.samples)
    factor = 10 ** (TARGET / 20) / loudest if loudest > _SILENCE else 1.0
    return Sound(sound.samples * np.float32(factor), sound.rate)


def beyond_full_scale(sound: Audible) -> str | None:
    """Say what of a sound a file of full scale [-1, 1] cannot hold, in words that follow the file's name."""
    samples = sound.samples
    if broken := int((~np.isfinite(samples)).sum()):
        return f"has {broken} of {samples.size} samples that are no finite numbers"
    above = decibels(peak(samples))
    if above <= 0:
        return None
    clipped = int((np.abs(samples) > 1).sum())
    return f"peaks {above:.1f} dB above full scale, which clips {clipped} of {samples.size} samples"
