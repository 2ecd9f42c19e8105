"""Conditioning on numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from polydiff.conditioning.conditioner import Conditioner, FactSource, absent, known_facts
from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import DataError, UsageError

MEASURED = 4096
"""Examples from which the mean and the standard deviation are taken, spread evenly over the data."""

WAVES = (16.0, 0.5)
"""The longest and the shortest wavelength of the features, in standard deviations."""


class Vector(Conditioner):
    """One number or several, standardised, as sines, cosines and themselves through a two-layer perceptron.

    Parameters
    ----------
    size
        How many numbers there are; as many as there are means, or 1, when left out.
    mean, std
        Of each number in the training data; 0 and 1 when left out.
    width
        Of the vector made.
    features
        Sines and cosines for each number, an even count.
    """

    mean: Tensor
    std: Tensor
    frequencies: Tensor

    def __init__(
        self,
        *,
        size: int | None = None,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        width: int = 128,
        features: int = 32,
    ) -> None:
        super().__init__()
        if size is None:
            size = 1 if mean is None else len(mean)
        mean = [0.0] * size if mean is None else mean
        std = [1.0] * size if std is None else std
        if size < 1 or len(mean) != size or len(std) != size or min(std) <= 0:
            raise UsageError("conditioner 'vector' needs size >= 1, with one mean and one std > 0 for each number")
        if width < 1 or features < 2 or features % 2:
            raise UsageError(f"conditioner 'vector' needs width >= 1 and features even, got {width} and {features}")
        self.dims = ConditionDims(vector=width)
        self.size = size
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)
        longest, shortest = (math.log2(2 * math.pi / wave) for wave in WAVES)
        frequencies = torch.logspace(longest, shortest, features // 2, base=2.0)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.first = nn.Linear(size * (features + 1), width)
        self.second = nn.Linear(width, width)

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Measure what the recipe leaves open; a number that never varies keeps std 1.

        Raises
        ------
        DataError
            When no example has the fact, or not all have as many numbers.
        """
        given = {key: value for key, value in options.items() if value is not None}
        if "mean" in given and "std" in given:
            return {**options, "size": given.get("size", len(given["mean"]))}
        numbers = [_numbers(value) for value in known_facts(source, name, MEASURED)]
        if not numbers:
            raise absent(source, name)
        size = given.get("size", len(numbers[0]))
        if odd := next((each for each in numbers if len(each) != size), None):
            where = f"conditions.{name}.size says {size}" if "size" in given else f"another has {size}"
            raise DataError(f"an example has {len(odd)} numbers as its '{name}', while {where}")
        table = torch.tensor(numbers, dtype=torch.float64)
        std = table.std(0, correction=0)
        measured = {"mean": table.mean(0).tolist(), "std": std.where(std > 0, 1.0).tolist()}
        return {**options, **measured, **given, "size": size}

    def prepare(self, value: Any) -> list[float] | None:
        """Give the numbers of a number or a list of numbers; true is 1, false 0."""
        if value is None:
            return None
        numbers = _numbers(value)
        if len(numbers) != self.size:
            raise DataError(f"{self.size} numbers are needed, not {value!r}")
        return numbers

    def parse(self, text: str) -> list[float]:
        """Read numbers with commas between them."""
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != self.size or not all(map(math.isfinite, numbers)):
            example = ",".join(f"{m:.3g}" for m in self.mean.tolist())
            raise UsageError(f"'{text}' is not {self.size} number{'s' * (self.size > 1)}, such as {example}")
        return numbers

    def split(self, text: str) -> Sequence[str]:
        """Divide a list where each value is one number; where it is several, a list is one value."""
        return [part.strip() for part in text.split(",")] if self.size == 1 else [text]

    def describe(self, value: Sequence[float]) -> str:
        """Write the numbers to four digits."""
        return ",".join(f"{number:.4g}" for number in value)

    def forward(self, values: Sequence[Sequence[float] | None]) -> Condition:
        """Embed the numbers."""
        blank = [0.0] * self.size
        device = self.mean.device
        known = torch.tensor([value is not None for value in values], device=device)
        z = (torch.tensor([value or blank for value in values], device=device) - self.mean) / self.std
        angles = z[..., None] * self.frequencies
        features = torch.cat((z[..., None], angles.sin(), angles.cos()), -1).flatten(1)
        return Condition(vector=self.second(nn.functional.silu(self.first(features)))).keep(known)


def _numbers(value: Any) -> list[float]:
    parts = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    if not parts or not all(isinstance(part, Real) and math.isfinite(part) for part in parts):
        raise DataError(f"{value!r} is neither a finite number nor a list of them")
    return [float(part) for part in parts]
