"""A transformer of plain tokens, for what encodes a condition."""

from __future__ import annotations

from torch import Tensor, nn

from polydiff.nn.attention import Attention


class TransformerLayer(nn.Module):
    """Self-attention of tokens and a perceptron, each residual and normalised before (Xiong et al. 2020).

    Parameters
    ----------
    width
        Of a token.
    head_width
        Of an attention head; divides `width`.
    """

    def __init__(self, width: int, head_width: int = 32) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, width, head_width)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (B, L, width) to the same shape; `mask`, (B, L) bool, is true for the tokens that are attended to."""
        x = x + self.attention(self.norm(x), mask=mask)
        out: Tensor = x + self.perceptron(x)
        return out
