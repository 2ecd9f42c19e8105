"""Phases for magnitudes: where Griffin-Lim starts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TURN = 2**24
"""Turns are counted in whole parts, whose sums are exact however they are cut."""


def starting_phases(magnitudes: Tensor, n_fft: int, hop: int) -> Tensor:
    """Let every bin turn at the frequency of the peak that it belongs to.

    Beauregard, Harish & Wyse, "Single pass spectrogram inversion", DSP 2015. In the spectrum of a steady tone under a
    Hann window the phases of neighbouring bins differ by half a turn, counted from a frame's first sample.

    Parameters
    ----------
    magnitudes
        (B, n_fft / 2 + 1, F), of frames `hop` samples apart.

    Returns
    -------
    Radians, of the same shape.
    """
    turns = peak_frequencies(magnitudes) * (hop / n_fft)
    turned = (turns.remainder(1) * _TURN).long().cumsum(dim=-1) % _TURN
    bins = torch.arange(magnitudes.shape[1], device=magnitudes.device)[:, None]
    return turned * (2 * math.pi / _TURN) + bins % 2 * math.pi


def peak_frequencies(magnitudes: Tensor) -> Tensor:
    """Find the frequency of the spectral peak nearest to each bin, in bins, by a parabola through its logarithms.

    Parameters
    ----------
    magnitudes
        (B, bins, F), the first bin at 0 Hz and the last at half the sample rate.

    Returns
    -------
    (B, bins, F); any number where a frame has no peak.
    """
    mirrored = torch.cat([magnitudes[:, 1:2], magnitudes, magnitudes[:, -2:-1]], dim=1)
    logs = mirrored.clamp_min(torch.finfo(magnitudes.dtype).tiny).log()
    below, here, above = logs[:, :-2], logs[:, 1:-1], logs[:, 2:]
    peaks = (here >= below) & (here > above)
    curvature = (2 * here - below - above).where(peaks, 1)
    last = magnitudes.shape[1] - 1
    bins = torch.arange(last + 1, device=magnitudes.device)[:, None].expand_as(peaks)
    lower = bins.where(peaks, -2 * last).cummax(dim=1).values
    upper = bins.where(peaks, 3 * last).flip(1).cummin(dim=1).values.flip(1)
    nearest = lower.where(bins - lower <= upper - bins, upper).clamp(0, last)
    return (bins + (above - below) / (2 * curvature)).gather(1, nearest)
