"""What the networks of points share: features of coordinates, perceptrons, and what a network may be given."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polydiff.errors import UsageError
from polydiff.nn.convolution import zeroed
from polydiff.nn.norm import AdaptiveLayerNorm
from polydiff_pointcloud.surroundings import FEATURES, surroundings

COORDINATES = 3
"""The first channels of a cloud."""

LONGEST_WAVE = 8.0
"""Of the sines of a coordinate, which lies within about +-4: noise and data have unit variance."""


def fourier_features(coordinates: Tensor, octaves: int) -> Tensor:
    """Sines and cosines of each coordinate with wavelengths 8, 4, 2, ..., so that a network sees edges sharply.

    Parameters
    ----------
    coordinates
        (*, D) of about unit variance.
    octaves
        How many wavelengths.

    Returns
    -------
    Tensor
        (*, 2 D octaves) in [-1, 1].
    """
    frequencies = 2 * math.pi / LONGEST_WAVE * 2 ** torch.arange(octaves, device=coordinates.device)
    angles = (coordinates[..., None] * frequencies.to(coordinates.dtype)).flatten(-2)
    return torch.cat((angles.sin(), angles.cos()), -1)


class PointStem(nn.Module):
    """A linear map of all channels of each point, of Fourier features of its coordinates, and of its surroundings.

    Parameters
    ----------
    channels
        Of a point, the condition's included.
    width
        Of the output.
    octaves
        See `fourier_features`.
    grids
        See `surroundings`.
    """

    def __init__(self, channels: int, width: int, octaves: int, grids: Sequence[int] = ()) -> None:
        super().__init__()
        self.octaves = octaves
        self.grids = tuple(grids)
        self.linear = nn.Linear(channels + 2 * COORDINATES * octaves + FEATURES * len(self.grids), width)

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Map (B, channels, N) to (B, N, width); `real`, (B, N) bool, is false for padding."""
        points = x.transpose(1, 2)
        coordinates = points[..., :COORDINATES]
        features = [points, fourier_features(coordinates, self.octaves)]
        if self.grids:
            features.append(surroundings(coordinates, self.grids, real))
        out: Tensor = self.linear(torch.cat(features, -1))
        return out


class Perceptron(nn.Module):
    """An adaptive normalisation and a two-layer perceptron of each token on its own; its output starts at zero.

    Parameters
    ----------
    width, to
        Of the input and of the output.
    embedding
        Width of the embedding that scales and shifts.
    expansion
        Width of the hidden layer over that of the output.
    dropout
        Probability with which a hidden value is dropped in training.
    """

    def __init__(self, width: int, to: int, embedding: int, *, expansion: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = AdaptiveLayerNorm(width, embedding)
        self.hidden = nn.Linear(width, expansion * to)
        self.dropout = nn.Dropout(dropout)
        self.out = zeroed(nn.Linear(expansion * to, to))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map (B, L, width), with `embedding`, (B, embedding), to (B, L, to)."""
        hidden = nn.functional.silu(self.hidden(self.norm(x, embedding)))
        out: Tensor = self.out(self.dropout(hidden))
        return out


class PointHead(nn.Module):
    """A normalisation and a linear map to the output's channels, which starts at zero."""

    def __init__(self, width: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm = AdaptiveLayerNorm(width, embedding)
        self.linear = zeroed(nn.Linear(width, channels))

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Map (B, N, width) to (B, channels, N)."""
        out: Tensor = self.linear(self.norm(h, embedding)).transpose(1, 2)
        return out


def check_cloud(shape: tuple[int, ...], data_channels: int) -> None:
    """Raise UsageError unless `shape` is (data_channels, N), the channels beginning with three coordinates."""
    channels, *sizes = shape
    if channels != data_channels:
        raise UsageError(f"the data have {channels} channels; this network takes {data_channels}")
    if len(sizes) != 1:
        raise UsageError(f"the data have {len(sizes)} dimensions; this network takes 1, the points")


def at_least(lowest: int, **options: int) -> None:
    """Raise UsageError for an option below `lowest`."""
    for name, value in options.items():
        if value < lowest:
            raise UsageError(f"{name} is {value}; it must be at least {lowest}")
