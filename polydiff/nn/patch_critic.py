"""A network that tells real data from what an autoencoder makes of them, patch by patch."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from polydiff.nn.convolution import convolution, strided_convolution
from polydiff.nn.norm import group_norm

SLOPE = 0.2
"""Of the activation below zero."""


class PatchCritic(nn.Module):
    """Strided convolutions to one number for each patch, high for real data (Isola et al. 2017, section 3.2.2).

    Parameters
    ----------
    dimension
        Of the data's grid: 1, 2 or 3.
    channels
        Of the data.
    width
        Of the first layer; each further one is twice as wide.
    layers
        How many times the resolution is halved.
    """

    def __init__(self, dimension: int, channels: int, width: int, layers: int) -> None:
        super().__init__()
        widths = [width * 2**layer for layer in range(layers)]
        body: list[nn.Module] = [strided_convolution(dimension, channels, width, stride=2), nn.LeakyReLU(SLOPE)]
        for narrow, wide in itertools.pairwise(widths):
            body += [strided_convolution(dimension, narrow, wide, stride=2), group_norm(wide), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*body, convolution(dimension, widths[-1], 1))

    def forward(self, x: Tensor) -> Tensor:
        """Judge the patches of data, (B, channels, *): (B, patches)."""
        patches: Tensor = self.layers(x)
        return patches.flatten(1)
