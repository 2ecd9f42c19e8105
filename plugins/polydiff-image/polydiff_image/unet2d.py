"""The U-Net for pictures."""

from __future__ import annotations

from functools import partial

from torch import nn

from polydiff.core.condition import ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBackend
from polydiff.nn.block import BlockOptions
from polydiff.nn.convolution import convolution
from polydiff.nn.unet import Level, UNet, head


class UNet2D(UNet):
    """The U-Net of Dhariwal & Nichol 2021 (ADM) for pictures of any height and width that its factor divides.

    Its levels halve the resolution one after the other; level 0 is the full one.

    Parameters
    ----------
    data_channels, condition
        See `Backbone`.
    channels
        Base width: the first level's when its multiplier is 1.
    multipliers
        Width of each level over the base width; their number is that of the levels.
    patch
        Side of the squares of pixels that the network takes as one, their values as channels (Hoogeboom et al. 2023,
        https://arxiv.org/abs/2301.11093, section 2.2): at 2 it costs a quarter.
    blocks
        Residual blocks of each level on the way down; there is one more on the way up.
    attention
        Levels at which attention stands; -1 is the coarsest, -2 the one above.
    layout
        Rounds in which every position of the first level with attention asks the condition's tokens what belongs there,
        without seeing the picture, so that what a sentence says about places is learned in far fewer steps. 0: none.
    head_width
        Channels of an attention head; divides the width of every level with attention.
    dropout
        Probability, in [0, 1), with which an activation is dropped in training.
    checkpoint
        Recompute activations in the backward pass instead of keeping them: less memory, a third more time.
    channels_last
        Memory format of the activations and weights.
    attention_backend
        "auto", "sdpa", "xformers" (CUDA, needs the extra of that name) or "math".

    Raises
    ------
    UsageError
        When an option is out of its range.
    """

    def __init__(
        self,
        data_channels: int,
        condition: ConditionDims,
        *,
        channels: int = 64,
        multipliers: tuple[int, ...] = (1, 2, 2),
        patch: int = 1,
        blocks: int = 2,
        attention: tuple[int, ...] = (-1,),
        layout: int = 0,
        head_width: int = 32,
        dropout: float = 0.0,
        checkpoint: bool = False,
        channels_last: bool = True,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        _positive(channels=channels, multipliers=min(multipliers, default=0), patch=patch)
        _positive(blocks=blocks, head_width=head_width)
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is {dropout}; it lies in [0, 1)")
        if layout < 0:
            raise UsageError(f"layout is {layout}; it is at least 0")
        attended = _levels(attention, len(multipliers))
        super().__init__(
            2,
            data_channels,
            condition,
            [Level(channels * m, blocks, attention=i in attended) for i, m in enumerate(multipliers)],
            BlockOptions(head_width, attention_backend, dropout, checkpoint),
            embedding=4 * channels,
            channels_last=channels_last,
            patch=patch,
            layout=layout,
            stem=partial(_stem, patch=patch),
            head=partial(_head, patch=patch),
        )


def _stem(dimension: int, width: int, to: int, *, patch: int) -> nn.Module:
    first = convolution(dimension, width * patch**2, to)
    return first if patch == 1 else nn.Sequential(nn.PixelUnshuffle(patch), first)


def _head(dimension: int, width: int, to: int, *, patch: int) -> nn.Module:
    last = head(dimension, width, to * patch**2)
    return last if patch == 1 else nn.Sequential(last, nn.PixelShuffle(patch))


def _positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise UsageError(f"{name} must be at least 1")


def _levels(attention: tuple[int, ...], count: int) -> set[int]:
    """Resolve negative levels."""
    for level in attention:
        if not -count <= level < count:
            raise UsageError(f"attention at level {level}: there are levels 0 to {count - 1}, or -1 for the coarsest")
    return {level % count for level in attention}
