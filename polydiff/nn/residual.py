"""The residual block of every U-Net."""

from __future__ import annotations

from torch import Tensor, nn

from polydiff.nn.convolution import convolution, zeroed
from polydiff.nn.norm import AdaptiveGroupNorm, group_norm


class ResidualBlock(nn.Module):
    """Two convolutions, each after normalisation and SiLU; the second normalisation is adaptive, or plain.

    Starts as the identity, or as a linear projection when the width changes.

    Parameters
    ----------
    dimension
        1, 2 or 3.
    width, to
        Channels of the input and of the output.
    embedding
        Width of the embedding that scales and shifts; 0 where there is none.
    dropout
        Probability with which a value before the second convolution is dropped in training.
    """

    def __init__(self, dimension: int, width: int, to: int, embedding: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = group_norm(width)
        self.conv1 = convolution(dimension, width, to)
        self.norm2 = AdaptiveGroupNorm(to, embedding) if embedding else group_norm(to)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zeroed(convolution(dimension, to, to))
        self.skip = nn.Identity() if width == to else convolution(dimension, width, to, kernel=1)

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Map `x`, (B, width, *), with `embedding`, (B, embedding) or none, to (B, to, *)."""
        h = self.conv1(nn.functional.silu(self.norm1(x)))
        h = self.norm2(h) if embedding is None else self.norm2(h, embedding)
        h = self.conv2(self.dropout(nn.functional.silu(h)))
        out: Tensor = self.skip(x) + h
        return out
