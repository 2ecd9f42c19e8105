"""Changes of resolution that hold back what the coarser grid cannot hold.

Plain striding folds every frequency above half the new rate onto one below it, and repetition mirrors the ones below
into the ones above: both are heard in sounds (Pons et al. 2021, "Upsampling artifacts in neural audio synthesis") and
cost shift invariance (Zhang 2019, "Making convolutional networks shift-invariant again").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polydiff.nn.convolution import convolution

REACH = 2
"""Coarse positions to either side that a low-pass filter reads."""
BETA = 3.0
"""Of the Kaiser window: with this reach, frequencies beyond 1.5 times the new limit are damped by 35 dB or more."""

_FILTERS = {
    1: (nn.functional.conv1d, nn.functional.conv_transpose1d),
    2: (nn.functional.conv2d, nn.functional.conv_transpose2d),
    3: (nn.functional.conv3d, nn.functional.conv_transpose3d),
}


def low_pass(factor: int) -> Tensor:
    """Sample a windowed sinc that halves the amplitude at 1 / (2 factor) cycles a position.

    Its phases (every `factor`-th tap) are normalised one by one, so that a constant stays one in both directions.

    Returns
    -------
    Tensor
        ((2 REACH + 1) factor,), symmetric, of sum 1, float32.
    """
    taps = (2 * REACH + 1) * factor
    positions = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
    window = torch.kaiser_window(taps, periodic=False, beta=BETA, dtype=torch.float64)
    phases = (torch.sinc(positions / factor) * window).view(-1, factor)
    return (phases / (factor * phases.sum(0))).flatten().float()


class AntialiasedDownsample(nn.Module):
    """Low-pass filters with strides, then a convolution from `width` to `to` channels at the coarser resolution.

    A `factor` is taken prime by prime, each with its own short filter, which costs less than one long filter for the
    same suppression (Crochiere & Rabiner 1975, "Optimum FIR digital filter implementations for decimation").
    """

    def __init__(self, dimension: int, width: int, to: int, factor: int) -> None:
        super().__init__()
        self.filters = nn.Sequential(*(_Filter(dimension, width, p, up=False) for p in primes(factor)))
        self.conv = convolution(dimension, width, to)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, *) to (B, to, *), every size divided by `factor`."""
        out: Tensor = self.conv(self.filters(x))
        return out


class AntialiasedUpsample(nn.Module):
    """A convolution from `width` to `to` channels at the coarser resolution, then interpolation by low-pass filters."""

    def __init__(self, dimension: int, width: int, to: int, factor: int) -> None:
        super().__init__()
        self.conv = convolution(dimension, width, to)
        self.filters = nn.Sequential(*(_Filter(dimension, to, p, up=True) for p in reversed(primes(factor))))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, *) to (B, to, *), every size multiplied by `factor`."""
        out: Tensor = self.filters(self.conv(x))
        return out


class _Filter(nn.Module):
    """One low-pass filter, of each channel alone, with its stride down or the zeros that it fills up."""

    kernel: Tensor

    def __init__(self, dimension: int, width: int, factor: int, *, up: bool) -> None:
        super().__init__()
        taps = low_pass(factor) * (factor if up else 1)
        kernel = taps
        for _ in range(dimension - 1):
            kernel = kernel[..., None] * taps
        self.register_buffer("kernel", kernel.repeat(width, 1, *(1,) * dimension), persistent=False)
        self.factor = factor
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, *) to the same with every size divided or multiplied by the factor."""
        filtered = _FILTERS[x.ndim - 2][self.up]
        return filtered(x, self.kernel, stride=self.factor, padding=REACH * self.factor, groups=x.shape[1])


def primes(number: int) -> list[int]:
    """Factorise `number`, ascending; 1 has no factors."""
    smallest = next((p for p in range(2, number + 1) if number % p == 0), None)
    return [] if smallest is None else [smallest, *primes(number // smallest)]
