"""A network of points that attend to learned latent tokens: linear in the number of points."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recompute

from polydiff.core.condition import Condition, ConditionDims
from polydiff.nn.attention import Attention, AttentionBackend
from polydiff.nn.block import BlockOptions
from polydiff.nn.embedded import EmbeddedBackbone
from polydiff.nn.norm import AdaptiveLayerNorm
from polydiff_pointcloud.point_layers import COORDINATES, Perceptron, PointHead, PointStem, at_least, check_cloud

LATENT_STD = 0.5
"""Of the latents' initial values: as learned queries they must differ from the start."""


class LatentSet(EmbeddedBackbone):
    """Points that know of each other by what a few latent tokens have read of them all, and of neighbours by moments.

    Follows recurrent interface networks (Jabri et al. 2023, https://arxiv.org/abs/2212.11972): in each round the
    latents attend to the points, to each other and to the condition's tokens, then each point attends to the latents
    and passes through a perceptron. Nothing else tells where a point stands but its coordinates: a permutation of the
    points permutes the output. The cost is linear in their number. The condition's vector is added to the time
    embedding, its channels, (B, channels, N), are concatenated to the points'.

    Parameters
    ----------
    data_channels, condition
        See `Backbone`.
    width
        Of a point.
    latents
        How many there are.
    latent_width
        Of a latent.
    rounds
        How often the points are read and answered.
    layers
        Self-attention layers of the latents in each round.
    octaves
        Wavelengths of the Fourier features of the coordinates, from 8 downwards; the data have unit variance.
    grids
        Voxels along each side of the grids in which the moments of a point's neighbours are taken, as further features;
        at least 2.
    head_width
        Channels of an attention head; divides `width` and `latent_width`.
    dropout
        Probability, in [0, 1), with which an activation is dropped in training.
    checkpoint
        Recompute activations in the backward pass instead of keeping them: less memory, a third more time.
    attention_backend
        "auto", "sdpa", "xformers" (CUDA, needs the extra of that name) or "math".

    Raises
    ------
    UsageError
        When an option is out of its range, or the data have no coordinates.
    """

    takes_mask: ClassVar[bool] = True

    def __init__(
        self,
        data_channels: int,
        condition: ConditionDims,
        *,
        width: int = 128,
        latents: int = 64,
        latent_width: int = 256,
        rounds: int = 2,
        layers: int = 2,
        octaves: int = 6,
        grids: tuple[int, ...] = (8, 16, 32),
        head_width: int = 32,
        dropout: float = 0.0,
        checkpoint: bool = False,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        at_least(1, width=width, latents=latents, latent_width=latent_width, rounds=rounds, layers=layers)
        at_least(0, octaves=octaves)
        at_least(2, grids=min(grids, default=2))
        at_least(COORDINATES, data_channels=data_channels)
        super().__init__(data_channels, condition, latent_width)
        options = BlockOptions(head_width, attention_backend, dropout, checkpoint)
        self.stem = PointStem(data_channels + condition.channels, width, octaves, grids)
        self.latents = nn.Parameter(LATENT_STD * torch.randn(latents, latent_width))
        self.rounds = nn.ModuleList(
            Round(width, latent_width, condition.tokens, layers, options) for _ in range(rounds)
        )
        self.head = PointHead(width, data_channels, latent_width)

    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition | None = None, mask: Tensor | None = None) -> Tensor:
        """Evaluate the network; see `Backbone.forward`. `mask` is (B, 1, N)."""
        cond = self.complete(cond)
        embedding = self.embed(log_snr, cond)
        real = None if mask is None else mask[:, 0] > 0
        h = self.stem(self.with_channels(x, cond), real)
        z = self.latents.expand(len(x), -1, -1)
        for each in self.rounds:
            h, z = each(h, z, embedding, cond, real)
        out: Tensor = self.head(h, embedding)
        return out

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise UsageError unless `shape` is that of a cloud, with any number of points."""
        check_cloud(shape, self.data_channels)


class Round(nn.Module):
    """The latents read the points and confer; then the points read the latents.

    Parameters
    ----------
    width, latent_width
        Of a point and of a latent; the embedding is as wide as a latent.
    tokens
        Width of the condition's tokens; 0 builds no attention to them.
    layers
        Of the latents.
    options
        What all layers have in common.
    """

    def __init__(self, width: int, latent_width: int, tokens: int, layers: int, options: BlockOptions) -> None:
        super().__init__()
        self.checkpoint = options.checkpoint
        self.read_norm = AdaptiveLayerNorm(latent_width, latent_width)
        self.point_norm = AdaptiveLayerNorm(width, latent_width)
        self.read = Attention(latent_width, width, options.head_width, options.attention_backend)
        self.layers = nn.ModuleList(LatentLayer(latent_width, tokens, options) for _ in range(layers))
        self.write_norm = AdaptiveLayerNorm(width, latent_width)
        self.latent_norm = nn.LayerNorm(latent_width)
        self.write = Attention(width, latent_width, options.head_width, options.attention_backend)
        self.perceptron = Perceptron(width, width, latent_width, dropout=options.dropout)

    def forward(
        self, h: Tensor, z: Tensor, embedding: Tensor, cond: Condition, real: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Map points, (B, N, width), and latents, (B, L, latent_width); `real`, (B, N) bool, is false for padding."""
        if self.checkpoint and torch.is_grad_enabled():
            mapped: tuple[Tensor, Tensor] = recompute(self._map, h, z, embedding, cond, real, use_reentrant=False)
            return mapped
        return self._map(h, z, embedding, cond, real)

    def _map(
        self, h: Tensor, z: Tensor, embedding: Tensor, cond: Condition, real: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        z = z + self.read(self.read_norm(z, embedding), self.point_norm(h, embedding), real)
        for layer in self.layers:
            z = layer(z, embedding, cond)
        h = h + self.write(self.write_norm(h, embedding), self.latent_norm(z))
        return h + self.perceptron(h, embedding), z


class LatentLayer(nn.Module):
    """Self-attention of the latents, attention to the condition's tokens, and a perceptron, each residual."""

    def __init__(self, width: int, tokens: int, options: BlockOptions) -> None:
        super().__init__()
        heads = options.head_width, options.attention_backend
        self.norm = AdaptiveLayerNorm(width, width)
        self.attention = Attention(width, width, *heads)
        self.cross_norm = AdaptiveLayerNorm(width, width) if tokens else None
        self.cross_attention = Attention(width, tokens, *heads) if tokens else None
        self.perceptron = Perceptron(width, width, width, dropout=options.dropout)

    def forward(self, z: Tensor, embedding: Tensor, cond: Condition) -> Tensor:
        """Map (B, L, width) to the same shape."""
        z = z + self.attention(self.norm(z, embedding))
        if cond.tokens is not None:
            assert self.cross_norm is not None and self.cross_attention is not None
            z = z + self.cross_attention(self.cross_norm(z, embedding), cond.tokens, cond.mask)
        out: Tensor = z + self.perceptron(z, embedding)
        return out
