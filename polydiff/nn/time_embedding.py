"""The noise level as a vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LONGEST_WAVE = 80.0
"""Twice the range of log-SNR, [-20, 20], over which the slowest sine is therefore monotone."""
SHORTEST_WAVE = 1.0


def log_snr_features(log_snr: Tensor, count: int) -> Tensor:
    """Sines and cosines of log-SNR with wavelengths in geometric progression from 80 to 1.

    Parameters
    ----------
    log_snr
        (B,) in [-20, 20].
    count
        Number of features, even.

    Returns
    -------
    Tensor
        (B, count) in [-1, 1].
    """
    waves = torch.logspace(math.log2(LONGEST_WAVE), math.log2(SHORTEST_WAVE), count // 2, base=2, device=log_snr.device)
    angles = 2 * math.pi * log_snr[:, None] / waves
    return torch.cat((angles.sin(), angles.cos()), 1)


class TimeEmbedding(nn.Module):
    """Features of log-SNR through a two-layer perceptron.

    Parameters
    ----------
    width
        Of the embedding.
    features
        Number of sines and cosines.
    silent
        Zero at first, so that a network that is told of it begins as one that is not.
    """

    def __init__(self, width: int, features: int = 64, *, silent: bool = False) -> None:
        super().__init__()
        self.features = features
        self.first = nn.Linear(features, width)
        self.second = nn.Linear(width, width)
        if silent:
            nn.init.zeros_(self.second.weight)
            nn.init.zeros_(self.second.bias)

    def forward(self, log_snr: Tensor) -> Tensor:
        """Embed `log_snr`, (B,), to (B, width)."""
        features = log_snr_features(log_snr, self.features).to(self.first.weight.dtype)
        embedding: Tensor = self.second(nn.functional.silu(self.first(features)))
        return embedding
