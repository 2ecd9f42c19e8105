"""Conditioning on the scale of classifier-free guidance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from polydiff.conditioning.conditioner import FactSource
from polydiff.conditioning.vector import Vector
from polydiff.errors import UsageError


class GuidanceScale(Vector):
    """The scale by which a student is to be guided (Meng et al. 2023, https://arxiv.org/abs/2210.03142, section 3.1).

    Its vector is zero at first, so that a student begins as its teacher is.

    Parameters
    ----------
    low, high
        The least and the greatest scale.
    width
        Of the vector made.
    features
        Sines and cosines of the scale, an even count.
    """

    def __init__(self, *, low: float, high: float, width: int = 128, features: int = 32) -> None:
        if not low < high:
            raise UsageError(f"conditioner 'guidance-scale' needs low < high, got {low} and {high}")
        super().__init__(size=1, mean=[(low + high) / 2], std=[(high - low) / 2], width=width, features=features)
        self.low, self.high = low, high
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Give the options: the data know nothing of it."""
        return dict(options)

    def parse(self, text: str) -> list[float]:
        """Read a scale within the range."""
        scale = super().parse(text)
        if not self.low <= scale[0] <= self.high:
            raise UsageError(
                f"the guidance scale is {scale[0]:g}; this model was trained for {self.low:g} to {self.high:g}"
            )
        return scale
