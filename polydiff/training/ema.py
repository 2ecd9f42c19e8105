"""The exponential moving average of a model's parameters: what is validated, previewed and kept."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from polydiff.training.sharding import local

M = TypeVar("M", bound=nn.Module)


class EMA(Generic[M]):
    """A second model whose parameters follow the first's; buffers are copied.

    The n-th update, from 0, keeps min(decay, (1 + n) / (10 + n)) of the average, so that the random start is soon
    forgotten.

    Attributes
    ----------
    model
        The averaged model, in evaluation mode.
    updates
        How many there have been.
    """

    def __init__(self, source: M, decay: float) -> None:
        self.model = copy.deepcopy(source).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0
        self._source = source
        self._pairs: tuple[list[tuple[Tensor, ...]], list[tuple[Tensor, ...]]] | None = None

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the source as it is now."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        if self._pairs is None:  # not before: sharding replaces parameters
            self._pairs = _paired(self.model, self._source)
        parameters, buffers = self._pairs
        if parameters:
            torch._foreach_lerp_(*_local(parameters), 1 - decay)
        if buffers:
            torch._foreach_copy_(*_local(buffers))
        self.updates += 1


def _paired(average: nn.Module, source: nn.Module) -> tuple[list[tuple[Tensor, ...]], list[tuple[Tensor, ...]]]:
    """Give the parameters and the buffers of both."""
    parameters = zip(average.parameters(), source.parameters(), strict=True)
    return list(parameters), list(zip(average.buffers(), source.buffers(), strict=True))


def _local(pairs: list[tuple[Tensor, ...]]) -> tuple[list[Tensor], list[Tensor]]:
    """Give what this process has of them; sharding may lay that out anew at the first forward pass."""
    averages, sources = ([local(tensor) for tensor in each] for each in zip(*pairs, strict=True))
    return averages, sources
