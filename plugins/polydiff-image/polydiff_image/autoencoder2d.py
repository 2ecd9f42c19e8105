"""The autoencoder of pictures."""

from __future__ import annotations

from polydiff.nn.attention import AttentionBackend
from polydiff.nn.block import BlockOptions
from polydiff.nn.grid_autoencoder import GridAutoencoder
from polydiff.nn.levels import levels


class Autoencoder2D(GridAutoencoder):
    """The autoencoder of Rombach et al. 2022 (latent diffusion) for pictures of any sides that its factor divides.

    Its levels halve the resolution one after the other: three make latents of a quarter of the side, four of an eighth.

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
    blocks
        Residual blocks of each level, or of all, on the way down and as many on the way up.
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
        latent: int = 4,
        channels: int = 64,
        multipliers: tuple[int, ...] = (1, 2, 4),
        blocks: int | tuple[int, ...] = 1,
        attention: tuple[int, ...] = (),
        head_width: int = 32,
        dropout: float = 0.0,
        checkpoint: bool = False,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        super().__init__(
            2,
            data_shape,
            latent,
            levels(channels, multipliers, blocks=blocks, attention=attention),
            BlockOptions(head_width, attention_backend, dropout, checkpoint),
        )
