"""The U-Net for points: every level keeps all points, only its grid of voxels is coarser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBackend
from polydiff.nn.block import Block, BlockOptions
from polydiff.nn.embedded import EmbeddedBackbone
from polydiff.nn.levels import levels
from polydiff.nn.unet import Level
from polydiff_pointcloud.point_layers import COORDINATES, Perceptron, PointHead, PointStem, at_least, check_cloud
from polydiff_pointcloud.voxels import Voxels, unit_cube


class PVUNet(EmbeddedBackbone):
    """Blocks with ever coarser voxels and back again, with a skip from each to its mirror.

    After point-voxel diffusion (Zhou et al. 2021, https://arxiv.org/abs/2104.03670), without its sampling and grouping
    of points: a point keeps its place on all levels. The voxels are those of the smallest cube around the noisy cloud.
    The condition's vector is added to the time embedding, its tokens are attended to by voxels wherever attention
    stands, its channels, (B, channels, N), are concatenated to the points'.

    Parameters
    ----------
    data_channels, condition
        See `Backbone`.
    channels
        Base width: the first level's when its multiplier is 1.
    multipliers
        Width of each level over the base width; their number is that of the levels.
    voxels
        Along each side of the grid of each level, at least 2.
    blocks
        Of each level, or of all, on the way down; there are as many on the way up.
    attention
        Levels at which the voxels attend to each other; -1 is the coarsest.
    octaves
        Wavelengths of the Fourier features of the coordinates, from 8 downwards; the data have unit variance.
    head_width
        Channels of an attention head; divides the width of every level with attention.
    dropout
        Probability, in [0, 1), with which an activation is dropped in training.
    checkpoint
        Recompute activations in the backward pass instead of keeping them: less memory, a third more time.
    attention_backend
        "auto", "sdpa", "xformers" (CUDA, needs the extra of that name) or "math".

    Raises
    ------
    UsageError
        When an option is out of its range, the data have no coordinates, or tokens are given no attention.
    """

    takes_mask: ClassVar[bool] = True

    def __init__(
        self,
        data_channels: int,
        condition: ConditionDims,
        *,
        channels: int = 32,
        multipliers: tuple[int, ...] = (1, 2, 4),
        voxels: tuple[int, ...] = (16, 8, 4),
        blocks: int | tuple[int, ...] = 1,
        attention: tuple[int, ...] = (-1,),
        octaves: int = 6,
        head_width: int = 32,
        dropout: float = 0.0,
        checkpoint: bool = False,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        laid_out = levels(channels, multipliers, blocks=blocks, attention=attention)
        _check(laid_out, voxels, condition)
        at_least(0, octaves=octaves)
        at_least(COORDINATES, data_channels=data_channels)
        embedding = max(level.width for level in laid_out)
        super().__init__(data_channels, condition, embedding)
        options = BlockOptions(head_width, attention_backend, dropout, checkpoint)
        block = partial(PointVoxelBlock, embedding=embedding, tokens=condition.tokens, options=options)
        width = laid_out[0].width
        self.stem = PointStem(data_channels + condition.channels, width, octaves)
        self.head = PointHead(width, data_channels, embedding)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips: list[int] = []
        for level, resolution in zip(laid_out, voxels, strict=True):
            for _ in range(level.blocks):
                self.down.append(block(width, level.width, resolution, attention=level.attention))
                width = level.width
                skips.append(width)
        self.middle = block(width, width, voxels[-1], attention=laid_out[-1].attention)
        for level, resolution in zip(reversed(laid_out), reversed(voxels), strict=True):
            for _ in range(level.blocks):
                self.up.append(block(width + skips.pop(), level.width, resolution, attention=level.attention))
                width = level.width

    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition | None = None, mask: Tensor | None = None) -> Tensor:
        """Evaluate the network; see `Backbone.forward`. `mask` is (B, 1, N)."""
        cond = self.complete(cond)
        embedding = self.embed(log_snr, cond)
        real = None if mask is None else mask[:, 0] > 0
        cube = unit_cube(x[:, :COORDINATES].transpose(1, 2), real)
        blocks: list[PointVoxelBlock] = [*self.down, self.middle]
        grids = {resolution: Voxels.of(cube, resolution, real) for resolution in {b.resolution for b in blocks}}
        h = self.stem(self.with_channels(x, cond))
        skips: list[Tensor] = []
        for block in self.down:
            h = block(h, embedding, cond, grids)
            skips.append(h)
        h = self.middle(h, embedding, cond, grids)
        for block in self.up:
            h = block(torch.cat((h, skips.pop()), 2), embedding, cond, grids)
        out: Tensor = self.head(h, embedding)
        return out

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise UsageError unless `shape` is that of a cloud, with any number of points."""
        check_cloud(shape, self.data_channels)


class PointVoxelBlock(nn.Module):
    """What the voxels around a point say, by convolution, plus what its own features do, by a perceptron.

    Parameters
    ----------
    width, to
        Features of a point in the input, a skip included, and in the output.
    resolution
        Voxels along each side of the grid.
    attention
        Whether the voxels attend to each other.
    embedding, tokens, options
        See `polydiff.nn.block.Block`.
    """

    def __init__(
        self,
        width: int,
        to: int,
        resolution: int,
        *,
        attention: bool,
        embedding: int,
        tokens: int,
        options: BlockOptions,
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.voxels = Block(
            width, to, attention=attention, dimension=3, embedding=embedding, tokens=tokens, options=options
        )
        self.skip = nn.Linear(width, to)
        self.perceptron = Perceptron(width, to, embedding, dropout=options.dropout)

    def forward(self, h: Tensor, embedding: Tensor, cond: Condition, grids: Mapping[int, Voxels]) -> Tensor:
        """Map (B, N, width) to (B, N, to), by the grid of this block's resolution."""
        voxels = grids[self.resolution]
        around = voxels.gather(self.voxels(voxels.mean(h), embedding, cond))
        out: Tensor = self.skip(h) + around + self.perceptron(h, embedding)
        return out


def _check(laid_out: Sequence[Level], voxels: Sequence[int], condition: ConditionDims) -> None:
    if len(voxels) != len(laid_out):
        raise UsageError(f"voxels are {len(voxels)} numbers for {len(laid_out)} levels; give {len(laid_out)}")
    at_least(2, voxels=min(voxels))
    at_least(1, blocks=min(level.blocks for level in laid_out))
    if condition.tokens and not any(level.attention for level in laid_out):
        raise UsageError("the condition has tokens, but no level of the U-Net has attention to attend to them")
