"""What codecs of magnitudes share: logarithms above a floor, standardised for each bin, and Griffin-Lim."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from polydiff.errors import UsageError
from polydiff_audio.griffin_lim import griffin_lim, stft
from polydiff_audio.timed import Pad, Timed

_SILENT = math.log(2) / 2
"""How far above the floor, in log magnitude, is silence yet (3 dB): a network's silence is not quite at the floor."""

_LEAST_STD = 0.5
"""Of a bin's log magnitude. Stationary noise has pi / sqrt(24) = 0.64; a bin that varies less hardly ever sounds."""


class LogMagnitudes(Timed):
    """Sounds as (channels * bins, frames): log magnitudes, for each bin of mean 0 and standard deviation 1.

    Bins are the network's channels and frames its one dimension; in stereo all bins of the left channel come first.
    Phases are not kept: Griffin-Lim finds some, for each channel on its own, so what two channels differ by in phase
    alone is lost.

    Parameters
    ----------
    rate, duration, channels, multiple, pad
        See `Timed`.
    n_fft
        Samples of a spectrum, under a Hann window; even.
    hop
        Samples from one frame to the next, at most n_fft / 4: magnitudes further apart leave the phases undetermined.
    bins
        Of a frame; n_fft / 2 + 1 unless `_scaled` and `_unscaled` say otherwise.
    floor
        The smallest magnitude told from silence, where a full-scale sine has n_fft / 4: 3e-3 is 87 dB below it at
        n_fft 256. Magnitudes decoded within 3 dB of it, or below, become exactly 0.
    iterations, momentum
        Of Griffin-Lim.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        rate: int,
        duration: float,
        channels: int,
        multiple: int,
        pad: Pad,
        n_fft: int,
        hop: int,
        bins: int,
        floor: float,
        iterations: int,
        momentum: float,
    ) -> None:
        _check_options(n_fft, hop, floor, iterations, momentum)
        super().__init__(
            rate=rate,
            duration=duration,
            channels=channels,
            multiple=multiple,
            pad=pad,
            hop=hop,
            height=bins,
        )
        self.n_fft = n_fft
        self.floor = floor
        self.iterations = iterations
        self.momentum = momentum
        self.register_buffer("mean", torch.full((self.channels, 1), math.log(floor)))
        self.register_buffer("std", torch.ones(self.channels, 1))

    def _measure(self, windows: Iterable[tuple[Tensor, int]]) -> None:
        frames = 0
        total = torch.zeros(self.channels, 1, dtype=torch.float64)
        squares = torch.zeros_like(total)
        for samples, sounding in windows:
            levels = self._levels(samples)[:, :sounding].double()
            frames += sounding
            total += levels.sum(dim=1, keepdim=True)
            squares += levels.square().sum(dim=1, keepdim=True)
        if frames:
            mean = total / frames
            self.mean.copy_(mean)
            self.std.copy_((squares / frames - mean.square()).clamp_min(_LEAST_STD**2).sqrt())

    def _encode(self, samples: Tensor) -> Tensor:
        return (self._levels(samples) - self.mean.cpu()) / self.std.cpu()

    def _decode(self, x: Tensor) -> Tensor:
        levels = x * self.std.to(x.device) + self.mean.to(x.device)
        silent = levels < math.log(self.floor) + _SILENT
        scaled = levels.exp().masked_fill(silent, 0).reshape(-1, self.height, x.shape[-1])
        sounds = griffin_lim(self._unscaled(scaled), self.n_fft, self.hop, self.iterations, self.momentum)
        return sounds.reshape(len(x), self.sound_channels, -1)

    def _levels(self, samples: Tensor) -> Tensor:
        """Give log magnitudes, (channels * bins, frames), none below the floor."""
        return self._scaled(stft(samples, self.n_fft, self.hop).abs()).clamp_min(self.floor).log().flatten(0, 1)

    def _scaled(self, spectra: Tensor) -> Tensor:
        """Bring magnitudes, (B, n_fft / 2 + 1, F) on the CPU, to the codec's scale of frequencies, (B, bins, F)."""
        return spectra

    def _unscaled(self, scaled: Tensor) -> Tensor:
        """Bring magnitudes, (B, bins, F) on any device, back to (B, n_fft / 2 + 1, F)."""
        return scaled


def _check_options(n_fft: int, hop: int, floor: float, iterations: int, momentum: float) -> None:
    if n_fft < 4 or n_fft % 2:
        raise UsageError(f"n_fft is {n_fft}; it must be even and at least 4, such as 1024")
    if not 1 <= hop <= n_fft // 4:
        raise UsageError(f"hop is {hop}; for n_fft={n_fft} it must be from 1 to {n_fft // 4}")
    if not 0 < floor < 1:
        raise UsageError(f"floor is {floor}; it must lie between 0 and 1, such as 3e-3")
    if iterations < 1:
        raise UsageError(f"iterations is {iterations}; it must be at least 1, such as 64")
    if not 0 <= momentum < 1:
        raise UsageError(f"momentum is {momentum}; it must be at least 0 and below 1, such as 0.99")
