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


class SubpixelUpsample(nn.Module):
    """A convolution from `width` to `to` channels for each of the finer positions that a coarse one becomes.

    Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network". The counterpart of a strided convolution: it can put back every frequency of the finer grid.
    """

    def __init__(self, dimension: int, width: int, to: int, factor: int) -> None:
        super().__init__()
        self.dimension = dimension
        self.factor = factor
        self.conv = convolution(dimension, width, to * factor**dimension)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, *) to (B, to, *)."""
        dimension, factor = self.dimension, self.factor
        fine = self.conv(x).unflatten(1, (-1, *(factor,) * dimension))
        order = [axis for i in range(dimension) for axis in (2 + dimension + i, 2 + i)]
        out: Tensor = fine.permute(0, 1, *order).reshape(len(x), -1, *(size * factor for size in x.shape[2:]))
        return out
