"""The skeleton of every autoencoder of grids, whatever their dimension."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBlock
from polydiff.nn.autoencoder import Autoencoder, Posterior
from polydiff.nn.block import BlockOptions
from polydiff.nn.convolution import convolution
from polydiff.nn.grid import check_grid
from polydiff.nn.norm import group_norm
from polydiff.nn.resampling import Downsample, Upsample
from polydiff.nn.residual import ResidualBlock
from polydiff.nn.unet import Level, Resampling


class GridAutoencoder(Autoencoder):
    """Residual blocks down to the coarsest resolution, where the latents are, and up again; nothing goes past them.

    Follows the autoencoder of Rombach et al. 2022 (latent diffusion), section 3.1, with the blocks of our U-Nets.

    Parameters
    ----------
    dimension
        Of the data's grid: 1, 2 or 3.
    data_shape
        See `Autoencoder`.
    latent
        Channels of the latents.
    levels
        From the full resolution to the coarsest.
    options
        What all blocks have in common.
    stem
        (dimension, width, to) -> module, from the data's channels to the first level's.
    down, up
        (dimension, width, to, factor) -> module, between the widths of two levels.

    Raises
    ------
    UsageError
        When an option is out of its range, or a level's width with attention does not divide into heads.
    """

    def __init__(
        self,
        dimension: int,
        data_shape: tuple[int, ...],
        latent: int,
        levels: Sequence[Level],
        options: BlockOptions,
        *,
        stem: Callable[[int, int, int], nn.Module] = convolution,
        down: Resampling = Downsample,
        up: Resampling = Upsample,
    ) -> None:
        super().__init__(data_shape)
        if latent < 1:
            raise UsageError(f"latent is {latent}; it must be at least 1")
        self.dimension = dimension
        self.latent = latent
        first, last = levels[0], levels[-1]
        steps = [(above.width, below.width, below.factor) for above, below in itertools.pairwise(levels)]
        self.factor = math.prod(factor for _, _, factor in steps)
        enter = [stem(dimension, data_shape[0], first.width)]
        enter += [down(dimension, width, to, factor) for width, to, factor in steps]
        leave = [_head(dimension, first.width, data_shape[0])]
        leave += [up(dimension, width, to, factor) for to, width, factor in steps]
        stages = [stage(dimension, level, options) for level in levels]
        mirrored = [stage(dimension, level, options) for level in levels]
        self.encoder = nn.Sequential(
            *(nn.Sequential(way_in, blocks) for way_in, blocks in zip(enter, stages, strict=True)),
            _head(dimension, last.width, 2 * latent),
        )
        self.decoder = nn.Sequential(
            convolution(dimension, latent, last.width),
            *(
                nn.Sequential(blocks, way_out)
                for blocks, way_out in zip(reversed(mirrored), reversed(leave), strict=True)
            ),
        )

    def latent_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Divide the sizes by the factor; see `Autoencoder.latent_shape`."""
        check_grid(shape, channels=self.data_shape[0], dimension=self.dimension, factor=self.factor)
        return self.latent, *(size // self.factor for size in shape[1:])

    def encode(self, x: Tensor) -> Posterior:
        """Encode data, (B, C, *), of any sizes that the factor divides."""
        return Posterior.of(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Make data of latents, (B, latent, *), with sizes `factor` times as large."""
        x: Tensor = self.decoder(z)
        return x


class _Block(nn.Module):
    """A residual block, followed by attention where it stands."""

    def __init__(self, dimension: int, width: int, options: BlockOptions, *, attention: bool) -> None:
        super().__init__()
        self.checkpoint = options.checkpoint
        self.residual = ResidualBlock(dimension, width, width, 0, options.dropout)
        heads = options.head_width, options.attention_backend
        self.attention = AttentionBlock(width, 0, *heads) if attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        if self.checkpoint and torch.is_grad_enabled():
            out: Tensor = checkpoint(self._map, x, use_reentrant=False)
            return out
        return self._map(x)

    def _map(self, x: Tensor) -> Tensor:
        out: Tensor = self.attention(self.residual(x))
        return out


def stage(dimension: int, level: Level, options: BlockOptions) -> nn.Sequential:
    """Build the residual blocks of a level, each with attention behind it where the level has some."""
    blocks: Iterable[nn.Module] = (
        _Block(dimension, level.width, options, attention=level.attention) for _ in range(level.blocks)
    )
    return nn.Sequential(*blocks)


def _head(dimension: int, width: int, to: int) -> nn.Module:
    return nn.Sequential(group_norm(width), nn.SiLU(), convolution(dimension, width, to))
