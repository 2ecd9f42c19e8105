"""The multi-resolution STFT distance.

Yamamoto, Song & Kim, Parallel WaveGAN: A fast waveform generation model based on generative adversarial networks with
multi-resolution spectrogram, ICASSP 2020: spectral convergence, log magnitude, and their mean over resolutions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

FLOOR = 1e-4
"""The smallest magnitude that counts, where that of a sine at full scale is 1: logarithms need one, ears have one."""

_PUBLISHED = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
_PUBLISHED_RATE = 24000
"""Lengths of the transform, from frame to frame, and of the window, in samples of the paper's speech at so many Hz."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Lengths in samples: of the transform, from frame to frame, and of the window."""

    transform: int
    hop: int
    window: int


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a sound is from a real one.

    Attributes
    ----------
    convergence
        Of the magnitudes: the Frobenius norm of their difference over that of the real ones.
    log_magnitude
        The mean absolute difference of the logarithms (to base e) of the magnitudes.
    """

    convergence: float
    log_magnitude: float


def resolutions(rate: int) -> list[Resolution]:
    """Give the published resolutions, as many seconds long at another sample rate."""
    scale = rate / _PUBLISHED_RATE
    return [
        Resolution(1 << math.ceil(math.log2(transform * scale)), max(1, round(hop * scale)), round(window * scale))
        for transform, hop, window in _PUBLISHED
    ]


def distance(sound: Tensor, real: Tensor, rate: int) -> Distance:
    """Compare a sound with a real one of the same shape, (channels, frames), by the mean over `resolutions`."""
    each = [_at(sound.double(), real.double(), resolution) for resolution in resolutions(rate)]
    return Distance(
        sum(one.convergence for one in each) / len(each), sum(one.log_magnitude for one in each) / len(each)
    )


def _at(sound: Tensor, real: Tensor, resolution: Resolution) -> Distance:
    magnitude, true = magnitudes(sound, resolution), magnitudes(real, resolution)
    convergence = torch.linalg.vector_norm(magnitude - true) / torch.linalg.vector_norm(true)
    return Distance(float(convergence), float((magnitude.log() - true.log()).abs().mean()))


def magnitudes(samples: Tensor, resolution: Resolution) -> Tensor:
    """Give the magnitudes of sounds, (B, frames), no less than `FLOOR`: (B, bins, frames of the spectrum)."""
    window = torch.hann_window(resolution.window, dtype=samples.dtype, device=samples.device)
    spectrum = torch.stft(
        samples,
        resolution.transform,
        resolution.hop,
        resolution.window,
        2 * window / window.sum(),
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum.abs().clamp(min=FLOOR)
