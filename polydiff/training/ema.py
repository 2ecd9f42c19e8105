"""The exponential moving average of a model's parameters: what is validated, previewed and kept."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

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
        self._parameters = _tensors(self.model.parameters()), _tensors(source.parameters())
        self._buffers = _tensors(self.model.buffers()), _tensors(source.buffers())

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the source as it is now."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, parameters = self._parameters
        if averages:
            torch._foreach_lerp_(averages, parameters, 1 - decay)
        copies, buffers = self._buffers
        if copies:
            torch._foreach_copy_(copies, buffers)
        self.updates += 1


def _tensors(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach() for tensor in tensors]
