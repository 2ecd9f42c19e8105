"""Bringing sounds to one level."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyloudnorm

from polydiff.errors import DataError
from polydiff_audio.levels import decibels, peak
from polydiff_audio.sound import Samples

_BLOCK = 0.4
"""Seconds over which BS.1770 measures."""


Measure = Literal["peak", "loudness"]


def normalise(samples: Samples, rate: int, measure: Measure, level: float) -> Samples:
    """Scale a sound so that it measures `level`; silence stays silent, and nothing keeps peaks within full scale.

    Parameters
    ----------
    samples
        (channels, frames): one or two channels, at least one frame.
    rate
        In Hz.
    level
        The largest absolute value in dB of full scale, or the loudness in LUFS.

    Raises
    ------
    DataError
        When the sound is too quiet for its loudness to be measured.
    """
    if not samples.any():
        return samples
    measured = decibels(peak(samples)) if measure == "peak" else loudness(samples, rate)
    if measured == -np.inf:
        raise DataError("is below -70 LUFS, too quiet for its loudness to be measured")
    return samples * np.float32(10 ** ((level - measured) / 20))


def loudness(samples: Samples, rate: int) -> float:
    """Measure the integrated, gated loudness in LUFS as ITU-R BS.1770-4 defines it.

    The filters are those of the recommendation at 48 kHz and within 0.05 dB of them at others. A sound that is shorter
    than a block of 0.4 s is measured as one block of its own length.

    Parameters
    ----------
    samples
        (channels, frames): one or two channels.
    rate
        In Hz.

    Returns
    -------
    -inf where no block is above -70 LUFS.
    """
    frames = samples.shape[1]
    # Half a frame less, lest rounding make the block longer than the sound.
    meter = pyloudnorm.Meter(rate, "DeMan", block_size=min(_BLOCK, (frames - 0.5) / rate))
    return float(meter.integrated_loudness(samples.T.astype(np.float64)))
