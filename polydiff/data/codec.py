"""Between a file's content and the tensor that is diffused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn


class Codec(nn.Module, ABC):
    """Encoder and decoder of one modality; its parameters and buffers, if any, are saved with the model.

    The tensors should have about unit variance and zero mean, float32.
    """

    @property
    @abstractmethod
    def channels(self) -> int:
        """The size of the first dimension of an encoded example."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one encoded example as trained on, (C, *)."""

    @abstractmethod
    def shape_for(self, size: str) -> tuple[int, ...]:
        """Read a size as the user gives it ("96", "96x64", "2.5s", ...); raise `UsageError` for nonsense."""

    def fit(self, contents: Iterable[Any]) -> None:
        """Measure what the codec needs of the data, into buffers; called once, before training."""

    @abstractmethod
    def encode(self, content: Any) -> Tensor:
        """Make a tensor of `self.shape`, float32 on the CPU."""

    @abstractmethod
    def decode(self, x: Tensor) -> Sequence[Any]:
        """Make contents of a batch (B, C, *)."""
