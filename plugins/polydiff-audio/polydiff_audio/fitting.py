"""Fitting any sound into the window that a codec encodes."""

from __future__ import annotations

import numpy as np

from polydiff.errors import DataError
from polydiff_audio.resample import reach, resample, resampled_frames
from polydiff_audio.sound import Audible, Samples


def fit_to(sound: Audible, rate: int, channels: int, frames: int) -> Samples:
    """Give the start of a sound at a rate, with so many channels, and silence after its end.

    One channel is the mean of all; mono becomes stereo with the same on both sides. What lies beyond the window is
    not read.

    Parameters
    ----------
    rate
        In Hz.
    channels
        1 or 2.
    frames
        The length of the window at that rate.

    Returns
    -------
    (channels, frames), finite; the samples bit for bit where nothing has to be fitted.

    Raises
    ------
    DataError
        When the sound is empty, has samples that are not finite float32, or more channels than can become two.
    """
    samples = _read(sound, resampled_frames(frames, rate, sound.rate) + reach(sound.rate, rate))
    samples = resample(_in_channels(samples, channels), sound.rate, rate)[:, :frames]
    return np.pad(samples, ((0, 0), (0, frames - samples.shape[1])))


def frames_at(sound: Audible, rate: int) -> int:
    """Tell how long a sound is at another rate, without reading it."""
    return resampled_frames(sound.frames, sound.rate, rate)


def _read(sound: Audible, most: int) -> Samples:
    """Read `most` frames, or all if there are no more."""
    if sound.frames == 0:
        raise DataError("the sound has no samples")
    samples = sound.cut(0, min(sound.frames, most)).samples
    if samples.dtype != np.float32:
        raise DataError(f"the samples are {samples.dtype}; a codec takes float32 with full scale at 1")
    if not np.isfinite(samples).all():
        raise DataError("the sound has samples that are not finite (NaN or infinity)")
    return samples


def _in_channels(samples: Samples, channels: int) -> Samples:
    has = len(samples)
    if has == channels:
        return samples
    if channels == 1:
        mean: Samples = samples.mean(axis=0, keepdims=True)
        return mean
    if has == 1:
        return samples.repeat(channels, axis=0)
    raise DataError(f"the sound has {has} channels, the codec {channels}; data.source.channels=mix makes it mono")
