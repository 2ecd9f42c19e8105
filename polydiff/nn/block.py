"""The block that U-Nets repeat: a residual block with attention where it stands."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from polydiff.core.condition import Condition
from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBackend, AttentionBlock
from polydiff.nn.residual import ResidualBlock


@dataclass(frozen=True, slots=True)
class BlockOptions:
    """What all blocks of a network have in common.

    Attributes
    ----------
    head_width
        Channels of an attention head.
    attention_backend
        See `polydiff.nn.attention.attend`.
    dropout
        Probability in [0, 1).
    checkpoint
        Whether to recompute a block's activations in the backward pass instead of keeping them.

    Raises
    ------
    UsageError
        When the head width or the dropout is out of its range.
    """

    head_width: int = 32
    attention_backend: AttentionBackend = "sdpa"
    dropout: float = 0.0
    checkpoint: bool = False

    def __post_init__(self) -> None:
        if self.head_width < 1:
            raise UsageError("head_width must be at least 1")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout is {self.dropout}; it lies in [0, 1)")


class Block(nn.Module):
    """A residual block, followed by attention where it stands.

    Parameters
    ----------
    width, to
        Channels of the input, a skip included, and of the output.
    attention
        Whether attention follows.
    dimension
        Of the data's grid: 1, 2 or 3.
    embedding
        Width of the time embedding.
    tokens
        Width of the condition's tokens; 0 builds no cross-attention.
    options
        What all blocks have in common.
    """

    def __init__(
        self,
        width: int,
        to: int,
        *,
        attention: bool,
        dimension: int,
        embedding: int,
        tokens: int,
        options: BlockOptions,
    ) -> None:
        super().__init__()
        self.checkpoint = options.checkpoint
        self.residual = ResidualBlock(dimension, width, to, embedding, options.dropout)
        self.attention = (
            AttentionBlock(to, tokens, options.head_width, options.attention_backend) if attention else None
        )

    def forward(self, x: Tensor, embedding: Tensor, cond: Condition, skip: Tensor | None = None) -> Tensor:
        """Map `x`, (B, C, *), with `skip` concatenated to it, to (B, to, *)."""
        if self.checkpoint and torch.is_grad_enabled():
            out: Tensor = checkpoint(self._map, x, embedding, cond, skip, use_reentrant=False)
            return out
        return self._map(x, embedding, cond, skip)

    def _map(self, x: Tensor, embedding: Tensor, cond: Condition, skip: Tensor | None) -> Tensor:
        out: Tensor = self.residual(x if skip is None else torch.cat((x, skip), 1), embedding)
        return out if self.attention is None else self.attention(out, cond.tokens, cond.mask, cond.perturbed)
