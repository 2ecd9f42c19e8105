"""A network that makes one vector of data."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """Makes a vector of each sample, on its own.

    Subclasses add their options as keywords with defaults and precise type hints, which recipes are checked against.

    Parameters
    ----------
    data_shape
        (C, *) of the data as trained on.

    Attributes
    ----------
    width
        Of the vectors.
    """

    width: int

    def __init__(self, data_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.data_shape = data_shape

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map data, (B, C, *), to (B, width)."""
