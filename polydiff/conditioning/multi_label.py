"""Conditioning on any number of classes at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from polydiff.conditioning.class_label import SCALE, check_classes
from polydiff.conditioning.conditioner import Conditioner, FactSource, absent, known_facts
from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import DataError, UsageError, unknown

JOIN = "+"
"""Between the classes of one example, where they are written as a text; nothing else is written for none."""

NONE = "none"


class MultiLabel(Conditioner):
    """The sum of a learned vector for each class that applies, and of one that says that classes are known.

    A fact is a list of classes, or a text as a user writes it: "cat+dog", or "none" for none of them, which is
    something else than not to know.

    Parameters
    ----------
    classes
        Their names; the index of a class is what stands in raw values. Those of the training data when left out.
    width
        Of the vectors.

    Raises
    ------
    UsageError
        When there are no classes, one is listed twice or cannot be told from a list, or the width is below 1.
    """

    def __init__(self, *, classes: list[str] | None = None, width: int = 128) -> None:
        super().__init__()
        listed = check_classes("multi-label", classes, width)
        if unfit := next((name for name in listed if JOIN in name or "," in name or name == NONE), None):
            raise UsageError(f"conditioner 'multi-label': '{unfit}' cannot be a class: it reads as none or as several")
        self.classes_known = listed
        self.dims = ConditionDims(vector=width)
        self._index = {name: i for i, name in enumerate(listed)}
        self.table = nn.EmbeddingBag(len(listed), width, mode="sum")
        self.known = nn.Parameter(SCALE * torch.randn(width))
        nn.init.normal_(self.table.weight, std=SCALE)

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in the classes that occur.

        Raises
        ------
        DataError
            When no example has the fact.
        """
        if options.get("classes") is not None:
            return dict(options)
        occurring = {each for value in known_facts(source, name) for each in _names(value)}
        if not occurring:
            raise absent(source, name)
        return {**options, "classes": sorted(occurring)}

    def prepare(self, value: Any) -> list[int] | None:
        """Give the indices of the classes, from the lowest."""
        if value is None:
            return None
        names = _names(value)
        for name in names:
            if name not in self._index:
                raise DataError(unknown("class", name, self.classes_known))
        return sorted({self._index[name] for name in names})

    def parse(self, text: str) -> list[int]:
        """Read "cat+dog" or "none"."""
        try:
            return self.prepare(text) or []
        except DataError as error:
            raise UsageError(str(error)) from error

    def split(self, text: str) -> Sequence[str]:
        """Divide a list ("cat+dog,cat,none")."""
        return [part.strip() for part in text.split(",")]

    def describe(self, value: Sequence[int]) -> str:
        """Name the classes."""
        return JOIN.join(self.classes_known[i] for i in value) or NONE

    def forward(self, values: Sequence[Sequence[int] | None]) -> Condition:
        """Add the vectors up."""
        device = self.known.device
        lengths = torch.tensor([0, *(len(value or ()) for value in values)])
        rows = torch.tensor([i for value in values for i in value or ()], dtype=torch.int64, device=device)
        vectors = self.known + self.table(rows, lengths.cumsum(0)[:-1].to(device))
        return Condition(vector=vectors).keep(torch.tensor([value is not None for value in values], device=device))


def _names(value: Any) -> list[str]:
    """Give the names of the classes that a fact has."""
    if isinstance(value, str):
        return [] if value == NONE else [part.strip() for part in value.split(JOIN)]
    if not isinstance(value, Iterable):
        raise DataError(f"{value!r} is neither a list of classes nor a text")
    return [str(each) for each in value]
