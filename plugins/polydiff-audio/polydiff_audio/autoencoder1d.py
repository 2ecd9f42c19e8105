"""The autoencoder of sounds: waveforms, or frames of spectra."""

from __future__ import annotations

from functools import partial

from polydiff.nn.attention import AttentionBackend
from polydiff.nn.block import BlockOptions
from polydiff.nn.convolution import convolution
from polydiff.nn.grid_autoencoder import GridAutoencoder
from polydiff.nn.levels import levels
from polydiff.nn.resampling import SubpixelUpsample
from polydiff_audio.unet1d import STEM


class Autoencoder1D(GridAutoencoder):
    """A residual encoder and decoder over time, for sequences of any length that its factor divides.

    Changes of resolution keep every frequency, as bands in more channels: strided convolutions down, sub-pixel
    convolutions up. Those of `unet1d` are anti-aliased, and what they hold back goes past them by its skip connections;
    here there are none, and a waveform would lose all that is above the rate of the latents.

    The codec's `multiple` should be the product of the factors and of those of the network that is to diffuse the
    latents.

    Parameters
    ----------
    data_shape
        See `Autoencoder`.
    latent
        Channels of the latents.
    channels
        Base width: the first level's when its multiplier is 1.
    multipliers
        Width of each level over the base width; their number is that of the levels.
    factors
        By which the length is divided from each level to the next, or from all.
    blocks
        Residual blocks of each level, or of all, at least 0, on the way down and as many on the way up.
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
        data_shape: tuple[int, ...],
        *,
        latent: int = 8,
        channels: int = 16,
        multipliers: tuple[int, ...] = (1, 4, 8),
        factors: int | tuple[int, ...] = 4,
        blocks: int | tuple[int, ...] = (0, 1, 1),
        attention: tuple[int, ...] = (),
        head_width: int = 32,
        dropout: float = 0.0,
        checkpoint: bool = False,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        super().__init__(
            1,
            data_shape,
            latent,
            levels(channels, multipliers, blocks=blocks, attention=attention, factors=factors),
            BlockOptions(head_width, attention_backend, dropout, checkpoint),
            stem=partial(convolution, kernel=STEM),
            up=SubpixelUpsample,
        )
