"""The U-Net for sounds: waveforms, or frames of spectra."""

from __future__ import annotations

from functools import partial

from polydiff.core.condition import ConditionDims
from polydiff.nn.antialiased import AntialiasedDownsample, AntialiasedUpsample
from polydiff.nn.attention import AttentionBackend
from polydiff.nn.block import BlockOptions
from polydiff.nn.convolution import convolution
from polydiff.nn.levels import levels
from polydiff.nn.unet import UNet

STEM = 7
"""Positions that the first convolution reads; a waveform says little in three."""


class UNet1D(UNet):
    """A U-Net over time for sequences of any length that its factor divides.

    The changes of resolution are anti-aliased, because what folds or mirrors there is heard. With one channel, a
    waveform, most of the time is spent at the full resolution, which is therefore narrow and has one block on the way
    up only; the defaults have about 8 million parameters. Frames of spectra bring their bins as channels, are short,
    and want a first level some times as wide as there are bins, or what is sharp is learnt slowly: for 64 bins, say,
    `channels=256, multipliers=(1, 1, 1), factors=4, blocks=(0, 1, 1), attention=(-1,)`.

    Parameters
    ----------
    data_channels, condition
        See `Backbone`.
    channels
        Base width: the first level's when its multiplier is 1.
    multipliers
        Width of each level over the base width; their number is that of the levels.
    factors
        By which the length is divided from each level to the next, or from all.
    blocks
        Residual blocks of each level, or of all, on the way down, at least 0; there is one more on the way up.
    attention
        Levels at which attention stands; -1 is the coarsest, -2 the one above.
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
        When an option is out of its range.
    """

    def __init__(
        self,
        data_channels: int,
        condition: ConditionDims,
        *,
        channels: int = 16,
        multipliers: tuple[int, ...] = (1, 2, 4, 8, 12, 16),
        factors: int | tuple[int, ...] = (4, 4, 4, 2, 2),
        blocks: int | tuple[int, ...] = (0, 1, 1, 1, 1, 1),
        attention: tuple[int, ...] = (-1, -2),
        head_width: int = 32,
        dropout: float = 0.0,
        checkpoint: bool = False,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        laid_out = levels(channels, multipliers, blocks=blocks, attention=attention, factors=factors)
        super().__init__(
            1,
            data_channels,
            condition,
            laid_out,
            BlockOptions(head_width, attention_backend, dropout, checkpoint),
            embedding=max(level.width for level in laid_out),
            stem=partial(convolution, kernel=STEM),
            down=AntialiasedDownsample,
            up=AntialiasedUpsample,
        )
