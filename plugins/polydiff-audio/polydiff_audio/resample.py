"""Other sample rates, by windowed-sinc interpolation."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd
from typing import Any

import numpy as np
import torch

from polydiff.errors import DataError
from polydiff.torchaudio_loader import load_torchaudio
from polydiff_audio.sound import Samples

_CROSSINGS = 64
_ROLLOFF = 0.9475937167399596
_BETA = 14.769656459379492
"""Zero crossings on either side, cutoff as a part of the lower Nyquist frequency, and shape of the Kaiser window:
the design known as `kaiser_best` of resampy. Measured: flat within 0.03 dB up to 0.9 of the lower Nyquist frequency;
what lies above that frequency by 1 % is 90 dB down, by 2 % 130 dB.
"""

_LARGEST_KERNEL = 2**24
"""Coefficients; one of these takes 2.5 s to make and 800 MB meanwhile. Rates that people use need 1 % of it."""


def resample(samples: Samples, rate: int, to: int) -> Samples:
    """Convert a sound from one sample rate to another; one that has it already comes back as it is.

    Frame m of the result lies at the time of frame m * rate / to of the sound. Before and after the sound there is
    silence.

    Parameters
    ----------
    samples
        (channels, frames).
    rate, to
        In Hz.

    Returns
    -------
    (channels, ceil(frames * to / rate)).

    Raises
    ------
    DataError
        When the two rates are in no simple enough ratio.
    """
    if rate == to:
        return samples
    kernel = _kernel(rate, to)
    # torchaudio rounds the length to float32, up or down; spare silence makes up for what it would cut off.
    spare = rate // gcd(rate, to) * (1 + (samples.shape[1] >> 20))
    padded = torch.from_numpy(np.pad(samples, ((0, 0), (0, spare))))
    resampled: Samples = kernel(padded).numpy()
    return np.ascontiguousarray(resampled[:, : resampled_frames(samples.shape[1], rate, to)])


def resampled_frames(frames: int, rate: int, to: int) -> int:
    """Tell how long a sound of that many frames becomes."""
    return -(-frames * to // rate)


def reach(rate: int, to: int) -> int:
    """Tell how many frames to either side of its own place in a sound a resampled frame depends on."""
    return 0 if rate == to else ceil(_CROSSINGS * rate / (min(rate, to) * _ROLLOFF)) + 1


def check_rates(rate: int, to: int) -> None:
    """Raise `DataError` when the two rates are in no simple enough ratio."""
    common = gcd(rate, to)
    if rate != to and (to // common) * (rate // common + 2 * reach(rate, to)) > _LARGEST_KERNEL:
        ratio = f"{rate // common}:{to // common}"
        raise DataError(f"{rate} Hz cannot be converted to {to} Hz, {ratio}; use rates of a simpler ratio")


@lru_cache(maxsize=16)
def _kernel(rate: int, to: int) -> Any:
    check_rates(rate, to)
    return load_torchaudio().transforms.Resample(
        rate, to, "sinc_interp_kaiser", lowpass_filter_width=_CROSSINGS, rolloff=_ROLLOFF, beta=_BETA
    )
