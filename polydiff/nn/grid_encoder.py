"""The encoder of grids, whatever their dimension."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBackend
from polydiff.nn.block import BlockOptions
from polydiff.nn.convolution import convolution
from polydiff.nn.encoder import Encoder
from polydiff.nn.grid import check_grid
from polydiff.nn.grid_autoencoder import stage
from polydiff.nn.levels import levels
from polydiff.nn.norm import group_norm
from polydiff.nn.resampling import Downsample

_POOL = {1: functional.adaptive_avg_pool1d, 2: functional.adaptive_avg_pool2d, 3: functional.adaptive_avg_pool3d}


class GridEncoder(Encoder):
    """Residual blocks down to the coarsest resolution, as in our autoencoders, and a vector of what is where there.

    The data have one, two or three dimensions: sounds, pictures, volumes.

    Parameters
    ----------
    data_shape
        See `Encoder`.
    channels
        Base width: the first level's when its multiplier is 1.
    multipliers
        Width of each level over the base width; their number is that of the levels.
    factors
        By which the sizes are divided from each level to the next, or from all.
    blocks
        Residual blocks of each level, or of all.
    attention
        Levels at which attention stands; -1 is the coarsest.
    head_width
        Channels of an attention head.
    places
        On each axis, how many means of the coarsest level tell where something is, at most.
    dropout
        Probability, in [0, 1), with which an activation is dropped in training.
    attention_backend
        "auto", "sdpa", "xformers" (CUDA, needs the extra of that name) or "math".

    Raises
    ------
    UsageError
        When an option is out of its range, or the data are no grid whose sizes the factors divide.
    """

    def __init__(
        self,
        data_shape: tuple[int, ...],
        *,
        channels: int = 32,
        multipliers: tuple[int, ...] = (1, 2, 4),
        factors: int | tuple[int, ...] = 2,
        blocks: int | tuple[int, ...] = 1,
        attention: tuple[int, ...] = (),
        head_width: int = 32,
        places: int = 4,
        dropout: float = 0.0,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        super().__init__(data_shape)
        self.dimension = len(data_shape) - 1
        if self.dimension not in _POOL or places < 1:
            raise UsageError(
                f"encoder 'grid' takes 1 to 3 dimensions and places >= 1, got {self.dimension} and {places}"
            )
        laid = levels(channels, multipliers, blocks=blocks, attention=attention, factors=factors)
        check_grid(
            data_shape,
            channels=data_shape[0],
            dimension=self.dimension,
            factor=math.prod(level.factor for level in laid),
        )
        options = BlockOptions(head_width, attention_backend, dropout, False)
        layers: list[nn.Module] = [convolution(self.dimension, data_shape[0], laid[0].width)]
        for above, level in zip([None, *laid], laid, strict=False):
            if above is not None:
                layers.append(Downsample(self.dimension, above.width, level.width, level.factor))
            layers.append(stage(self.dimension, level, options))
        self.width = laid[-1].width
        self.levels = nn.Sequential(*layers, group_norm(self.width), nn.SiLU())
        self.places = places
        self.join = nn.Linear(self.width * places**self.dimension, self.width)

    def forward(self, x: Tensor) -> Tensor:
        """Map data, (B, C, *), to (B, width)."""
        pooled = _POOL[self.dimension](self.levels(x), self.places)
        out: Tensor = self.join(pooled.flatten(1))
        return out
