"""The autoencoder of point clouds: a cloud as a set of a few tokens."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recompute

from polydiff.errors import UsageError
from polydiff.nn.attention import Attention, AttentionBackend
from polydiff.nn.autoencoder import Autoencoder, Posterior
from polydiff.nn.block import BlockOptions
from polydiff.nn.convolution import zeroed
from polydiff_pointcloud.point_layers import COORDINATES, PointStem, at_least, check_cloud, fourier_features

QUERY_STD = 0.5
"""Of the learned queries' initial values, which must differ from the start."""


class TokenAutoencoder(Autoencoder):
    """Learned queries read a cloud into tokens; the points of a fixed cloud of noise read these and move into place.

    The encoder follows Zhang et al. 2023 (3DShape2VecSet, https://arxiv.org/abs/2301.11445), whose latents are a set of
    tokens that attend to the points; the order of the points does not matter. The decoder's points start from a
    low-discrepancy Gaussian sequence, each beginning of which covers space evenly: so the first n decoded points are a
    cloud of n, of any n up to that of training.

    Parameters
    ----------
    data_shape
        See `Autoencoder`; coordinates first.
    tokens
        How many there are.
    latent
        Channels of a token.
    width
        Of a point and of a token within the network.
    rounds
        How often the tokens read the points, and the points the tokens.
    layers
        Self-attention layers of the tokens in encoder and decoder, each.
    octaves
        Wavelengths of the Fourier features of the coordinates.
    grids
        See `latent-set`.
    head_width
        Channels of an attention head; divides `width`.
    checkpoint
        Recompute activations in the backward pass instead of keeping them: less memory, a third more time.
    attention_backend
        "auto", "sdpa", "xformers" (CUDA, needs the extra of that name) or "math".

    Raises
    ------
    UsageError
        When an option is out of its range, or the data have no coordinates.
    """

    start: Tensor

    def __init__(
        self,
        data_shape: tuple[int, ...],
        *,
        tokens: int = 32,
        latent: int = 8,
        width: int = 128,
        rounds: int = 2,
        layers: int = 2,
        octaves: int = 6,
        grids: tuple[int, ...] = (8, 16),
        head_width: int = 32,
        checkpoint: bool = False,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        at_least(1, tokens=tokens, latent=latent, width=width, rounds=rounds)
        at_least(0, layers=layers, octaves=octaves)
        at_least(2, grids=min(grids, default=2))
        super().__init__(data_shape)
        channels, self.points = data_shape
        at_least(COORDINATES, data_channels=channels)
        options = BlockOptions(head_width, attention_backend, 0.0, checkpoint)
        self.tokens, self.latent, self.octaves = tokens, latent, octaves
        self.stem = PointStem(channels, width, octaves, grids)
        self.queries = nn.Parameter(QUERY_STD * torch.randn(tokens, width))
        self.read = nn.ModuleList(_Layer(width, options, context=True) for _ in range(rounds))
        self.confer = nn.ModuleList(_Layer(width, options) for _ in range(layers))
        self.posterior = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * latent))
        self.enter = nn.Linear(latent, width)
        self.places = nn.Parameter(QUERY_STD * torch.randn(tokens, width))
        self.unfold = nn.ModuleList(_Layer(width, options) for _ in range(layers))
        self.register_buffer("start", gaussian_sequence(self.points))
        self.depart = nn.Linear(2 * COORDINATES * octaves + COORDINATES, width)
        self.write = nn.ModuleList(_Layer(width, options, context=True) for _ in range(rounds))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, channels))

    def latent_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give (latent, tokens), for any number of points up to that of training.

        Raises
        ------
        UsageError
            When `shape` is that of no cloud, or of more points than are decoded.
        """
        check_cloud(shape, self.data_shape[0])
        if shape[1] > self.points:
            raise UsageError(f"{shape[1]} points are more than the {self.points} that the codec was trained to decode")
        return self.latent, self.tokens

    def encode(self, x: Tensor) -> Posterior:
        """Encode clouds, (B, C, N), to tokens, (B, latent, tokens)."""
        points = self.stem(x)
        z = self.queries.expand(len(x), -1, -1)
        for layer in self.read:
            z = layer(z, points)
        for layer in self.confer:
            z = layer(z)
        return Posterior.of(self.posterior(z).transpose(1, 2))

    def decode(self, z: Tensor) -> Tensor:
        """Make clouds, (B, C, N), of tokens, (B, latent, tokens)."""
        h = self.enter(z.transpose(1, 2)) + self.places
        for layer in self.unfold:
            h = layer(h)
        points = self.depart(torch.cat([self.start, fourier_features(self.start, self.octaves)], -1))
        points = points.expand(len(z), -1, -1)
        for layer in self.write:
            points = layer(points, h)
        x: Tensor = self.leave(points).transpose(1, 2)
        return x.contiguous()


class _Layer(nn.Module):
    """Attention to a context, or among the tokens themselves, and a perceptron, each residual and normalised before."""

    def __init__(self, width: int, options: BlockOptions, *, context: bool = False) -> None:
        super().__init__()
        self.checkpoint = options.checkpoint
        self.norm = nn.LayerNorm(width)
        self.context_norm = nn.LayerNorm(width) if context else None
        self.attention = Attention(width, width, options.head_width, options.attention_backend)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), zeroed(nn.Linear(2 * width, width))
        )

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Map (B, L, width), with a context (B, M, width) where there is one, to the same shape."""
        if self.checkpoint and torch.is_grad_enabled():
            return cast(Tensor, recompute(self._map, x, context, use_reentrant=False))
        return self._map(x, context)

    def _map(self, x: Tensor, context: Tensor | None) -> Tensor:
        read = None if context is None or self.context_norm is None else self.context_norm(context)
        x = x + self.attention(self.norm(x), read)
        out: Tensor = x + self.perceptron(x)
        return out


def gaussian_sequence(count: int) -> Tensor:
    """Give the first `count` points of a sequence that fills space as N(0, 1) does, evenly at every length.

    Sobol's, scrambled (Owen 1998), through the inverse of the normal distribution.

    Returns
    -------
    Tensor
        (count, 3) float32.
    """
    engine = torch.quasirandom.SobolEngine(COORDINATES, scramble=True, seed=0)  # type: ignore[no-untyped-call]
    uniform = engine.draw(count, dtype=torch.float64)
    return (math.sqrt(2) * torch.erfinv(2 * uniform - 1)).float()
