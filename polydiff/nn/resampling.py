"""Changes of resolution by learned convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from polydiff.nn.convolution import convolution, strided_convolution


class Downsample(nn.Module):
    """A strided convolution from `width` to `to` channels; every size is divided by `factor`."""

    def __init__(self, dimension: int, width: int, to: int, factor: int) -> None:
        super().__init__()
        self.conv = strided_convolution(dimension, width, to, stride=factor)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, *) to (B, to, *)."""
        out: Tensor = self.conv(x)
        return out


class Upsample(nn.Module):
    """Nearest-neighbour repetition, `factor` times a side, then a convolution from `width` to `to` channels."""

    def __init__(self, dimension: int, width: int, to: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.conv = convolution(dimension, width, to)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, *) to (B, to, *)."""
        out: Tensor = self.conv(nn.functional.interpolate(x, scale_factor=float(self.factor), mode="nearest"))
        return out
