"""The pitch of a note, measured."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import resample_poly

from polydiff_audio.sound import Samples

LOWEST, HIGHEST = 60.0, 2000.0
"""The frequencies in Hz between which a pitch is looked for."""

RATE = 32000
"""Sounds of a lower rate are interpolated to at least this one, which puts many lags into the shortest period."""

WINDOW, HOP = 0.025, 0.010
"""Seconds compared with what follows them, and from one such window to the next."""

DIP = 0.15
"""The first dip of the normalised difference below this is the period; where there is none, the deepest is."""

APERIODIC = 0.2
"""Where the normalised difference at the period is above this, there is no pitch."""

LOUD = 30.0
"""Decibels below the loudest window within which a window counts."""

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def to_midi(hertz: float) -> float:
    """Give the MIDI number of a frequency: 69 is 440 Hz, and a semitone 1."""
    return 69 + 12 * math.log2(hertz / 440)


def to_hertz(midi: float) -> float:
    """Give the frequency of a MIDI number, whole or not."""
    return 440 * 2 ** ((midi - 69) / 12)


def note_name(midi: int) -> str:
    """Name a key of a piano in scientific pitch notation: 69 is A4, 60 (the middle C) C4 and 61 C#4."""
    return f"{_NAMES[midi % 12]}{midi // 12 - 1}"


def pitch(samples: Samples, rate: int) -> float:
    """Give the pitch of a note: the median over its windows that are loud enough and periodic.

    Parameters
    ----------
    samples
        (channels, frames); of several channels the mean counts.

    Returns
    -------
    float
        As a MIDI number; NaN when the sound has no pitch between `LOWEST` and `HIGHEST`, or is shorter than a window
        and the longest period together, 42 ms.
    """
    if samples.shape[1] < math.ceil((WINDOW + 1 / LOWEST) * rate) + 1:
        return math.nan
    up = math.ceil(RATE / rate)
    wave, rate = resample_poly(samples.mean(0, dtype=np.float64), up, 1, padtype="mean"), up * rate
    window, longest = round(WINDOW * rate), math.ceil(rate / LOWEST)
    windows = np.lib.stride_tricks.sliding_window_view(wave, window + longest + 1)[:: round(HOP * rate)]
    windows = windows - windows[:, :window].mean(1, keepdims=True)
    energies = np.square(windows[:, :window]).sum(1)
    windows = windows[(energies > 0) & (energies >= 10 ** (-LOUD / 10) * energies.max())]
    periods, aperiodicity = _periods(windows, window, math.floor(rate / HIGHEST))
    periodic = periods[aperiodicity < APERIODIC]
    return to_midi(rate / float(np.median(periodic))) if len(periodic) else math.nan


def _periods(
    windows: NDArray[np.float64], window: int, shortest: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the period of each window by YIN, and how far it is from periodic: 0 is not at all, 1 is noise.

    de Cheveigne & Kawahara, YIN, a fundamental frequency estimator for speech and music, J. Acoust. Soc. Am. 111(4),
    2002: steps 1 to 5.

    Parameters
    ----------
    windows
        (n, window + longest + 1); the period is looked for between `shortest` and `longest`, in samples.
    """
    difference = _difference(windows, window)
    sums = np.cumsum(difference[:, 1:], 1)
    lags = np.arange(1, difference.shape[1])
    normalised = np.ones_like(difference)
    np.divide(difference[:, 1:] * lags, sums, out=normalised[:, 1:], where=sums > 0)
    inner = normalised[:, shortest:-1]
    dips = (inner < DIP) & (inner <= normalised[:, shortest + 1 :]) & (inner < normalised[:, shortest - 1 : -2])
    lag = shortest + np.where(dips.any(1), dips.argmax(1), inner.argmin(1))
    rows = np.arange(len(windows))
    left, middle, right = (difference[rows, lag + step] for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    offset = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend > 0)
    return lag + offset.clip(-0.5, 0.5), normalised[rows, lag]


def _difference(windows: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Give the squared difference of each window and what follows it at each lag, (n, longest + 2)."""
    lags = windows.shape[1] - window + 1
    size = next_fast_len(windows.shape[1], real=True)
    spectrum = rfft(windows, size) * rfft(windows[:, :window], size).conj()
    products = irfft(spectrum, size)[:, :lags]
    energies = np.cumsum(np.pad(np.square(windows), ((0, 0), (1, 0))), 1)
    energies = energies[:, window:] - energies[:, :lags]
    difference: NDArray[np.float64] = energies[:, :1] + energies - 2 * products
    return difference.clip(0)
