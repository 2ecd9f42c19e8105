"""One sound as a picture: its waveform above its spectrogram, on scales that do not depend on the sound."""

from __future__ import annotations

import math
from functools import cache

import matplotlib
import numpy as np
from numpy.typing import NDArray

from polydiff_audio.sound import Samples

Pixels = NDArray[np.uint8]
"""(height, width, 3), red, green and blue."""

QUIETEST = -80.0
"""Decibels below those of a sine at full scale from which on a spectrogram is black."""

COLOURS: Pixels = (255 * matplotlib.colormaps["magma"](np.arange(256))[:, :3]).round().astype(np.uint8)
"""The colours of a spectrogram from `QUIETEST` to full scale."""

PANEL, INK, ALARM = (255, 255, 255), (63, 81, 140), (214, 39, 40)
"""Behind the waveform, the waveform, and where it is beyond full scale or no number."""

_WINDOW = 0.032
"""Seconds that a column of the spectrogram sees."""

_PADDING = 2
"""Spectra are interpolated to at least this many times as many bins by zeros after the window."""

_AT_A_TIME = 2048
"""Windows transformed at a time, to bound the memory."""


def waveform(samples: Samples, width: int, height: int) -> Pixels:
    """Draw the range between the lowest and the highest sample of all channels in each column of pixels.

    Full scale fills the height. Columns with samples beyond it, or such as are no numbers, are of the colour `ALARM`.

    Parameters
    ----------
    samples
        (channels, frames), frames >= 1.

    Returns
    -------
    (height, width, 3).
    """
    starts = np.arange(width) * samples.shape[1] // width
    alarm = np.logical_or.reduceat(~(np.abs(samples) <= 1).all(0), starts)
    finite = np.nan_to_num(samples, nan=0)
    highest = np.maximum.reduceat(finite.max(0), starts)
    lowest = np.minimum.reduceat(finite.min(0), starts)
    # Each column reaches to the one before, as a line through all samples would.
    top = _row(np.maximum(highest, np.r_[lowest[:1], lowest[:-1]]), height)
    bottom = _row(np.minimum(lowest, np.r_[highest[:1], highest[:-1]]), height)
    rows = np.arange(height)[:, None]
    covered = (np.minimum(bottom + 0.5, rows + 1) - np.maximum(top - 0.5, rows)).clip(0, 1)[..., None]
    ink = np.where(alarm[:, None], ALARM, INK)
    pixels: Pixels = (covered * ink + (1 - covered) * PANEL).round().astype(np.uint8)
    return pixels


def spectrogram(samples: Samples, rate: int, width: int, height: int, highest: float) -> Pixels:
    """Draw the level of each frequency over time, the most that any window in a column of pixels finds.

    A sine at full scale has the brightest of `COLOURS`. Several channels count by their mean power.

    Parameters
    ----------
    samples
        (channels, frames), frames >= 1.
    highest
        The frequency in Hz at the top edge; rows are evenly spaced on the mel scale, from 0 at the bottom.

    Returns
    -------
    (height, width, 3).
    """
    finite = np.nan_to_num(samples, nan=0, posinf=0, neginf=0)
    frames = samples.shape[1]
    window = _window(rate)
    size = 1 << math.ceil(math.log2(_PADDING * len(window)))
    padded = np.pad(finite, ((0, 0), (len(window) // 2, len(window))))
    views = np.lib.stride_tricks.sliding_window_view(padded, len(window), axis=1)
    each = math.ceil(2 * frames / (width * len(window)))
    places = ((np.arange(width * each) + 0.5) * frames / (width * each)).astype(np.int64)
    edges = _edges(height, highest)
    inside = edges[:-1] < rate / 2
    bins = (edges[:-1][inside] * size / rate).astype(np.int64)
    power = np.zeros((len(places), height), np.float32)
    for start in range(0, len(places), _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        spectra = np.abs(np.fft.rfft(views[:, places[part]] * window, size)) ** 2
        power[part, inside] = np.maximum.reduceat(spectra.mean(0), bins, axis=1)
    level = 10 * np.log10(np.maximum(power.reshape(width, each, height).max(1), 10 ** (QUIETEST / 10)))
    brightness = (255 * (1 - level / QUIETEST)).round().clip(0, 255).astype(np.uint8)
    pixels: Pixels = COLOURS[brightness.T[::-1]]
    return pixels


def row_of(frequency: float, height: int, highest: float) -> float:
    """Tell how many rows below the top edge of a spectrogram a frequency lies."""
    return height * (1 - _mel(frequency) / _mel(highest))


@cache
def _window(rate: int) -> NDArray[np.float32]:
    """Give a Hann window under which a sine at full scale has a peak of 1 in its spectrum."""
    window = np.hanning(max(2, round(_WINDOW * rate)) + 1)[:-1]
    scaled: NDArray[np.float32] = (2 * window / window.sum()).astype(np.float32)
    return scaled


def _edges(height: int, highest: float) -> NDArray[np.float64]:
    """Give the frequencies between which rows lie, from the lowest up, (height + 1,)."""
    return 700 * np.expm1(np.linspace(0, _mel(highest), height + 1))


def _mel(frequency: float) -> float:
    """Give a frequency on the mel scale, but for a factor (O'Shaughnessy, Speech Communication, 1987)."""
    return math.log1p(frequency / 700)


def _row(level: NDArray[np.float32], height: int) -> NDArray[np.floating]:
    """Tell how many rows below the top edge of a waveform a level lies."""
    return (1 - level.clip(-1, 1)) / 2 * height
