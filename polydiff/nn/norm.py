"""Normalisation, plain and adaptive."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def groups(width: int) -> int:
    """Choose the largest number of groups up to 32 that divides `width` and leaves at least 4 channels to each."""
    return next((n for n in range(min(32, width // 4), 1, -1) if width % n == 0), 1)


def group_norm(width: int) -> nn.GroupNorm:
    """Build a group normalisation of `width` channels (Wu & He 2018)."""
    return nn.GroupNorm(groups(width), width)


class AdaptiveGroupNorm(nn.Module):
    """Group normalisation whose scale and shift come from an embedding (Dhariwal & Nichol 2021, section 3.1).

    AdaGN(h, y) = (1 + y_s) GroupNorm(h) + y_b, with (y_s, y_b) linear in the embedding.

    Parameters
    ----------
    width
        Channels.
    embedding
        Width of the embedding.
    """

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.groups = groups(width)
        self.scale_shift = nn.Linear(embedding, 2 * width)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Normalise `x`, (B, width, *), by `embedding`, (B, embedding)."""
        scale_shift = self.scale_shift(embedding)
        scale, shift = scale_shift.view(*scale_shift.shape, *(1,) * (x.ndim - 2)).chunk(2, 1)
        return torch.addcmul(shift, nn.functional.group_norm(x, self.groups), 1 + scale)


class AdaptiveLayerNorm(nn.Module):
    """Layer normalisation whose scale and shift come from an embedding (Peebles & Xie 2023, section 3.2, adaLN).

    adaLN(h, y) = (1 + y_s) LayerNorm(h) + y_b, with (y_s, y_b) linear in the embedding. Unlike the group
    normalisation of a grid it takes each token on its own, so padding has no effect on the others.

    Parameters
    ----------
    width
        Channels.
    embedding
        Width of the embedding.
    """

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.scale_shift = nn.Linear(embedding, 2 * width)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Normalise `x`, (B, L, width), by `embedding`, (B, embedding)."""
        scale, shift = self.scale_shift(embedding)[:, None].chunk(2, -1)
        return torch.addcmul(shift, nn.functional.layer_norm(x, x.shape[-1:]), 1 + scale)
