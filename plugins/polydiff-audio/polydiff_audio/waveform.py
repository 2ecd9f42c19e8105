"""Sounds as their samples."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from polydiff_audio.timed import Pad, Timed


class Waveform(Timed):
    """Sounds as (channels, frames), the samples divided by the data's level.

    The level is the data's rms rounded to a power of two: the division changes no mantissa, so that a sound of the
    codec's rate, channels and length comes back bit for bit.

    Parameters
    ----------
    rate, duration, channels, multiple, pad
        See `Timed`.
    """

    level: Tensor

    def __init__(self, rate: int, duration: float, channels: int = 1, multiple: int = 1, pad: Pad = "silence") -> None:
        super().__init__(rate=rate, duration=duration, channels=channels, multiple=multiple, pad=pad)
        self.register_buffer("level", torch.ones(()))

    def _measure(self, windows: Iterable[tuple[Tensor, int]]) -> None:
        count, squares = 0, 0.0
        for samples, sounding in windows:
            count += self.sound_channels * sounding
            squares += samples.double().square().sum().item()
        if squares:
            self.level.fill_(2.0 ** round(math.log2(squares / count) / 2))

    def _encode(self, samples: Tensor) -> Tensor:
        return samples / self.level.cpu()

    def _decode(self, x: Tensor) -> Tensor:
        return x * self.level.to(x.device)
