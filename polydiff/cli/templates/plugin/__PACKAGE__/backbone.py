"""The network."""

from __future__ import annotations

from polydiff.core.condition import ConditionDims
from polydiff.nn.block import BlockOptions
from polydiff.nn.unet import Level, UNet


class CurveUNet(UNet):
    """polydiff's U-Net in one dimension; every level halves the resolution, the coarsest has attention.

    Parameters
    ----------
    data_channels, condition
        Given by polydiff.
    channels
        Width of the first level; those below have twice as much.
    levels
        How many there are; the number of points must be a multiple of 2 ** (levels - 1).
    dropout
        Probability with which an activation is dropped in training.
    """

    def __init__(
        self,
        data_channels: int,
        condition: ConditionDims,
        *,
        channels: int = 32,
        levels: int = 3,
        dropout: float = 0.0,
    ) -> None:
        widths = [channels, *[2 * channels] * (levels - 1)]
        super().__init__(
            1,
            data_channels,
            condition,
            [Level(width, blocks=1, attention=i == levels - 1) for i, width in enumerate(widths)],
            BlockOptions(head_width=channels, dropout=dropout),
            embedding=4 * channels,
        )
