"""Sounds as spectrograms."""

from __future__ import annotations

from polydiff_audio.log_magnitudes import LogMagnitudes
from polydiff_audio.timed import Pad


class Spectrogram(LogMagnitudes):
    """Sounds as the log magnitudes of n_fft / 2 + 1 bins from 0 Hz to half the rate, linear in frequency.

    Parameters
    ----------
    rate, duration, channels, multiple, pad
        See `Timed`.
    n_fft, hop, floor, iterations, momentum
        See `LogMagnitudes`.
    """

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
    ) -> None:
        super().__init__(
            rate=rate,
            duration=duration,
            channels=channels,
            multiple=multiple,
            pad=pad,
            n_fft=n_fft,
            hop=hop,
            bins=n_fft // 2 + 1,
            floor=floor,
            iterations=iterations,
            momentum=momentum,
        )
