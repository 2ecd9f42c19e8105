"""What a condition's tokens say of each position, whatever the noise there."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from polydiff.nn.attention import Attention, AttentionBackend

HALF_WAVES = 4
"""Along each axis, the most half waves of the sines that tell positions apart."""


class Layout(nn.Module):
    """Every position asks the tokens what belongs there, and adds the answer to its activations.

    Queries are made of positions alone. Where the data are little but noise, queries made of the data are noise too,
    and from them a network learns slowly what the tokens say about places.

    There are no biases: without tokens the output is the input, bit for bit. It starts as the identity.

    Parameters
    ----------
    dimension
        Of the data's grid: 1, 2 or 3.
    width
        Channels of the activations.
    tokens
        Width of a token.
    rounds
        How often every position asks; later questions know earlier answers.
    inner
        Width of the questions and the answers, a multiple of 32.
    backend
        See `polydiff.nn.attention.attend`.
    """

    def __init__(
        self,
        dimension: int,
        width: int,
        tokens: int,
        rounds: int,
        *,
        inner: int = 128,
        backend: AttentionBackend = "sdpa",
    ) -> None:
        super().__init__()
        self.place = nn.Linear(2 * HALF_WAVES * dimension, inner)
        self.rounds = nn.ModuleList(_Round(inner, tokens, backend) for _ in range(rounds))
        self.out = nn.Linear(inner, width, bias=False)

    def forward(self, h: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Map (B, width, *) to the same shape; `tokens` is (B, M, tokens) and `mask` (B, M) bool."""
        places = self.place(positions(h.shape[2:], h)).expand(h.shape[0], -1, -1)
        answers = torch.zeros_like(places)
        for each in self.rounds:
            answers = each(places, answers, tokens, mask)
        out: Tensor = h + self.out(answers).transpose(1, 2).reshape(h.shape)
        return out


class _Round(nn.Module):
    def __init__(self, inner: int, tokens: int, backend: AttentionBackend) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inner)
        self.attention = Attention(inner, tokens, 32, backend)
        self.perceptron = nn.Sequential(
            nn.Linear(inner, 2 * inner, bias=False), nn.GELU(), nn.Linear(2 * inner, inner, bias=False)
        )

    def forward(self, places: Tensor, answers: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
        answers = answers + self.attention(self.norm(places + answers), tokens, mask)
        out: Tensor = answers + self.perceptron(answers)
        return out


def positions(sizes: tuple[int, ...], like: Tensor) -> Tensor:
    """Describe the cells of a grid by sines and cosines of their place along each axis, 1 to 4 half waves over it.

    Returns
    -------
    Tensor
        (cells, 8 * axes) of unit variance, of the type and device of `like`; the last axis runs fastest.
    """
    halves = math.pi * torch.arange(1, HALF_WAVES + 1, device=like.device)
    axes = []
    for size in sizes:
        angles = ((torch.arange(size, device=like.device) + 0.5) / size)[:, None] * halves
        axes.append(math.sqrt(2) * torch.cat((angles.sin(), angles.cos()), 1))
    cells = torch.cartesian_prod(*(torch.arange(size, device=like.device) for size in sizes)).view(-1, len(sizes))
    return torch.cat([axis[cells[:, i]] for i, axis in enumerate(axes)], 1).to(like)
