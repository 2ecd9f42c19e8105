"""Denoising what is longer than anything that a network has seen."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from polydiff.core.condition import Condition, concatenate
from polydiff.core.denoiser import Denoiser

AT_ONCE = 64
"""Windows that are evaluated in one call, over all samples of a batch; at least one of each sample."""


class Windowed(Denoiser):
    """Overlapping windows along the last axis that share one denoised signal (MultiDiffusion, Bar-Tal et al. 2023,
    https://arxiv.org/abs/2302.08113, eq. 5, with weights that fade towards a window's ends).

    At each evaluation every window of x_t is denoised on its own, and where windows overlap x_0 is the weighted
    mean of their estimates. All of them start from the same noise and see the same x_t, so there is no seam to mend.
    What is no longer than a window is denoised in one piece.

    Parameters
    ----------
    denoiser
        Of signals of `length`, and of any batch size. Guidance goes around the windows, not inside.
    length
        Of a window.
    overlap
        The least share of a window that the next one repeats, in [0, 1).
    """

    def __init__(self, denoiser: Denoiser, length: int, overlap: float = 0.5) -> None:
        super().__init__()
        assert length >= 1, "a window without content"
        assert 0 <= overlap < 1, "windows that do not advance"
        self.schedule = denoiser.schedule
        self.denoiser = denoiser
        self.length = length
        self.advance = max(1, math.floor(length * (1 - overlap)))

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the shared estimate of x_0."""
        if x_t.shape[-1] <= self.length:
            whole: Tensor = self.denoiser(x_t, t, cond)
            return whole
        weight = _fading(self.length).to(x_t)
        total, weights = torch.zeros_like(x_t), x_t.new_zeros(x_t.shape[-1])
        starts = self.starts(x_t.shape[-1])
        at_once = max(1, AT_ONCE // x_t.shape[0])
        for first in range(0, len(starts), at_once):
            windows = [slice(start, start + self.length) for start in starts[first : first + at_once]]
            for window, x0 in zip(windows, self._denoise(x_t, t, cond, windows), strict=True):
                total[..., window] += weight * x0
                weights[window] += weight
        return total / weights

    def toward(self, s: Tensor) -> Denoiser:
        """Follow the windows' denoiser."""
        return self.copied(denoiser=self.denoiser.toward(s))

    @property
    def attention_layers(self) -> tuple[str, ...]:
        """Those of the windows' denoiser."""
        return self.denoiser.attention_layers

    def starts(self, frames: int) -> list[int]:
        """Give where windows begin: as few as overlap enough, evenly spread from the first frame to the last."""
        last = frames - self.length
        count = math.ceil(last / self.advance)
        return [round(i * last / count) for i in range(count + 1)]

    def _denoise(self, x_t: Tensor, t: Tensor, cond: Condition | None, windows: list[slice]) -> tuple[Tensor, ...]:
        x0: Tensor = self.denoiser(
            torch.cat([x_t[..., window] for window in windows]),
            t if t.ndim == 0 else t.repeat(len(windows)),
            None if cond is None else concatenate([_part(cond, window) for window in windows]),
        )
        return x0.chunk(len(windows))


def _part(cond: Condition, window: slice) -> Condition:
    """Give what one window is conditioned on: its own part of the channels, all of the rest."""
    channels = None if cond.channels is None else cond.channels[..., window]
    return replace(cond.map_carried(lambda each: _part(each, window)), channels=channels)


def _fading(length: int) -> Tensor:
    """Give weights that rise linearly from the ends to the middle, (length,), all above zero."""
    rise = torch.arange(1, length + 1, dtype=torch.float64)
    return torch.minimum(rise, rise.flip(0)) / math.ceil(length / 2)
