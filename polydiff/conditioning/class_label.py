"""Conditioning on one class among several."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from polydiff.conditioning.conditioner import Conditioner, FactSource, absent, known_facts
from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import DataError, UsageError, nearest, unknown

SCALE = math.sqrt(0.5)
"""The root mean square of the sines and cosines that stand for the time."""


class ClassLabel(Conditioner):
    """A learned vector for each class.

    Parameters
    ----------
    classes
        Their names; the index of a class is its raw value. Those of the training data when left out.
    width
        Of the vectors.
    """

    def __init__(self, *, classes: list[str] | None = None, width: int = 128) -> None:
        super().__init__()
        self.classes = check_classes("class", classes, width)
        self.dims = ConditionDims(vector=width)
        self._index = {name: i for i, name in enumerate(self.classes)}
        self.table = nn.Embedding(len(self.classes), width)
        nn.init.normal_(self.table.weight, std=SCALE)

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in the classes that occur; those that are listed must be the same.

        Raises
        ------
        DataError
            For a listed class without any example, an example of a class that is not listed, or no class at all.
        """
        occurring = list(source.classes) if name == "label" else sorted({str(v) for v in known_facts(source, name)})
        if not occurring:
            raise absent(source, name)
        listed: list[str] = occurring if options.get("classes") is None else options["classes"]
        for each in listed:
            if each not in occurring:
                raise DataError(f"no example has the {name} '{each}', which classes lists; {nearest(each, occurring)}")
        for each in occurring:
            if each not in listed:
                raise DataError(
                    f"the data has the {name} '{each}', which classes does not list; {nearest(each, listed)}"
                )
        return {**options, "classes": list(listed)}

    def prepare(self, value: Any) -> int | None:
        """Give the index of a class."""
        if value is None:
            return None
        if str(value) not in self._index:
            raise DataError(unknown("class", str(value), self.classes))
        return self._index[str(value)]

    def parse(self, text: str) -> int:
        """Give the index of a class."""
        if text not in self._index:
            raise UsageError(unknown("class", text, self.classes))
        return self._index[text]

    def split(self, text: str) -> Sequence[str]:
        """Divide a list ("0,1,2"); "all" is every class. A class of that very name goes before."""
        if text in self._index:
            return [text]
        return self.classes if text == "all" else [part.strip() for part in text.split(",")]

    def describe(self, value: int) -> str:
        """Give the name of a class."""
        return self.classes[value]

    def forward(self, values: Sequence[int | None]) -> Condition:
        """Look the vectors up."""
        device = self.table.weight.device
        known = torch.tensor([value is not None for value in values], device=device)
        vectors = self.table(torch.tensor([value or 0 for value in values], device=device))
        return Condition(vector=vectors).keep(known)


def check_classes(conditioner: str, classes: Sequence[str] | None, width: int) -> tuple[str, ...]:
    """Give the classes of a conditioner.

    Raises
    ------
    UsageError
        When there are none, one is listed twice, or the width is below 1.
    """
    if not classes:
        raise UsageError(f"conditioner '{conditioner}' needs classes: the data has none, so list them")
    if repeated := [name for name, count in Counter(classes).items() if count > 1]:
        raise UsageError(f"conditioner '{conditioner}': '{repeated[0]}' is listed twice")
    if width < 1:
        raise UsageError(f"conditioner '{conditioner}' needs width >= 1, got {width}")
    return tuple(classes)
