"""What a condition's tokens say of each position, whatever the noise there."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from polydiff.nn.attention import Attention, AttentionBackend

INNER = 128
"""Width of the questions and the answers."""

HALF_WAVES = 4
"""Along each axis, the most half waves of the sines that tell positions apart."""


class Layout(nn.Module):
    """Every position asks the tokens what belongs there, and adds the answer to its activations.

    Queries are made of positions alone. Where the data are little but noise, queries made of the data are noise too,
    and from them a network learns slowly what the tokens say about places.

    The answers' first channels are a draft of the data. Held to them by the loss, it becomes their mean given the
    tokens, and teaches the questions by every sample, whatever its noise: the network's output alone teaches them far
    more slowly.

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
        backend: AttentionBackend = "sdpa",
    ) -> None:
        super().__init__()
        self.place = nn.Linear(2 * HALF_WAVES * dimension, INNER)
        self.rounds = nn.ModuleList(_Round(tokens, backend) for _ in range(rounds))
        self.out = nn.Linear(INNER, width, bias=False)

    def forward(self, h: Tensor, tokens: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map (B, width, *) to the same shape, and give the answers, (B, INNER, *).

        `tokens` is (B, M, tokens) and `mask` (B, M) bool.
        """
        places = self.place(positions(h.shape[2:], h)).expand(h.shape[0], -1, -1)
        answers = torch.zeros_like(places)
        for each in self.rounds:
            answers = each(places, answers, tokens, mask)
        return h + _on_grid(self.out(answers), h), _on_grid(answers, h)


def _on_grid(cells: Tensor, like: Tensor) -> Tensor:
    return cells.transpose(1, 2).reshape(len(like), -1, *like.shape[2:])


class _Round(nn.Module):
    def __init__(self, tokens: int, backend: AttentionBackend) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(INNER)
        self.attention = Attention(INNER, tokens, 32, backend)
        self.perceptron = nn.Sequential(
            nn.Linear(INNER, 2 * INNER, bias=False), nn.GELU(), nn.Linear(2 * INNER, INNER, bias=False)
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
