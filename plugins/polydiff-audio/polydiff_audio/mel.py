"""Sounds as mel spectrograms."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from polydiff.errors import UsageError
from polydiff.torchaudio_loader import load_torchaudio
from polydiff_audio.log_magnitudes import LogMagnitudes
from polydiff_audio.timed import Pad

_RTOL = 0.1
"""Singular values below this part of the largest are not inverted. Narrow filters that share one FFT bin are nearly
or wholly dependent: to tell 64 of them apart on 129 bins made errors of 10 % in them into 80 % of the spectrum."""


class Mel(LogMagnitudes):
    """Sounds as the log of what triangular filters, evenly spaced on the mel scale, take up of the magnitudes.

    What a filter does not tell apart is lost: the way back takes, of all spectra that the filters would take for the
    true one, that of the least energy. Speech comes back less exactly than from `Spectrogram`.

    Parameters
    ----------
    rate, duration, channels, multiple, pad
        See `Timed`.
    n_fft, hop, floor, iterations, momentum
        See `LogMagnitudes`; the floor holds for the filters' output.
    n_mels
        How many filters.
    f_min, f_max
        Where the first begins and the last ends, in Hz; `None` is half the rate.
    """

    filters: Tensor
    inverse: Tensor

    def __init__(
        self,
        rate: int,
        duration: float,
        channels: int = 1,
        multiple: int = 1,
        pad: Pad = "silence",
        n_fft: int = 1024,
        hop: int = 256,
        floor: float = 3e-3,
        iterations: int = 64,
        momentum: float = 0.99,
        n_mels: int = 80,
        f_min: float = 0.0,
        f_max: float | None = None,
    ) -> None:
        super().__init__(
            rate=rate,
            duration=duration,
            channels=channels,
            multiple=multiple,
            pad=pad,
            n_fft=n_fft,
            hop=hop,
            bins=n_mels,
            floor=floor,
            iterations=iterations,
            momentum=momentum,
        )
        filters = _filters(n_fft, n_mels, f_min, rate / 2 if f_max is None else f_max, rate)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("inverse", torch.linalg.pinv(filters, rtol=_RTOL), persistent=False)

    def _scaled(self, spectra: Tensor) -> Tensor:
        return self.filters.cpu() @ spectra

    def _unscaled(self, scaled: Tensor) -> Tensor:
        return (self.inverse.to(scaled.device) @ scaled).clamp_min(0)


def _filters(n_fft: int, n_mels: int, f_min: float, f_max: float, rate: int) -> Tensor:
    """Make filters on the HTK mel scale, peak 1: (n_mels, n_fft / 2 + 1)."""
    if n_mels < 1:
        raise UsageError(f"n_mels is {n_mels}; it must be at least 1, such as 80")
    if not 0 <= f_min < f_max <= rate / 2:
        raise UsageError(f"f_min is {f_min:g} and f_max {f_max:g}; 0 <= f_min < f_max <= {rate / 2:g} Hz must hold")
    fbanks = load_torchaudio().functional.melscale_fbanks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of empty filters, which are an error here
        for fewer in range(n_mels, 0, -1):
            filters: Tensor = fbanks(n_fft // 2 + 1, f_min, f_max, fewer, rate).T.contiguous()
            if filters.any(dim=1).all():
                break
        else:
            raise UsageError(f"no bin of n_fft={n_fft} lies between f_min={f_min:g} and f_max={f_max:g}")
    if fewer < n_mels:
        raise UsageError(f"n_mels is {n_mels}: some filters hold no bin of n_fft={n_fft}; say {fewer} or fewer")
    return filters
