"""What is to be generated, and its division into batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polydiff.core.given import Known
from polydiff.errors import UsageError
from polydiff.model.conditions import Wish
from polydiff.model.model import Model
from polydiff.model.settings import Guidance, check_set
from polydiff.recipe.component import Component

MICRO_BATCH = 16
"""The size of every batch of an exact generation."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive samples that are computed together.

    Attributes
    ----------
    indices
        Of the samples computed.
    wanted
        Those of them that were asked for; the rest is padding.
    """

    indices: range
    wanted: range


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A set of samples: numbers `first` to `first + count - 1` of a seed. What is `None` is as the recipe says.

    Attributes
    ----------
    count, first, seed
        Sample i depends on the seed and i alone, so that a set can be extended, or a part of it made again.
    conditions
        By name; sample i takes the (i mod n)-th of n values.
    prompts
        As those of the one condition that takes prompts, whatever its name.
    negative
        What guidance leads away from, for that condition.
    size
        As the modality writes sizes.
    sampler, steps, grid
        As in a recipe's `sample`.
    guidance
        The scale of classifier-free guidance, or one for each of several conditions, or the whole chain of guidances,
        innermost first.
    file_kind
        What is written; the modality's first kind by default.
    batch
        How many samples to compute at a time.
    exact
        Compute sample i at row i mod `MICRO_BATCH` of a full batch of that size, on one thread, whatever is
        asked for: files are then the same to the byte for any `batch`, `first`, `count` and number of devices.
    trajectory
        Also write how each sample came about.
    normalize
        Bring each sample to the level that the modality's files are made for.
    known
        What is given of all samples; the rest is generated.
    notes
        What else is to stand in the record of each sample, by a name of its own.

    Raises
    ------
    UsageError
        When a number is out of range.
    """

    count: int = 16
    first: int = 0
    seed: int = 0
    conditions: Mapping[str, Wish] = field(default_factory=dict)
    prompts: Sequence[str] = ()
    negative: str | None = None
    size: str | None = None
    sampler: str | Component | None = None
    steps: int | None = None
    grid: str | Component | None = None
    guidance: Guidance | None = None
    file_kind: str | None = None
    batch: int = 64
    exact: bool = False
    trajectory: bool = False
    normalize: bool = False
    known: Known | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_set(self.count, self.first, self.seed, self.batch)

    @property
    def indices(self) -> range:
        """The samples asked for."""
        return range(self.first, self.first + self.count)

    def wishes(self, model: Model) -> tuple[dict[str, Wish], dict[str, Wish]]:
        """Give what is asked for and what is to be avoided, by the names of the model's conditions.

        Raises
        ------
        UsageError
            When there are prompts and not one condition that takes them, or that condition is given twice.
        """
        asked, avoided = dict(self.conditions), dict[str, Wish]()
        if self.prompts or self.negative is not None:
            name = model.prompted
            if self.prompts and name in asked:
                raise UsageError(f"the condition '{name}' is given by its name and as a prompt, too")
            asked |= {name: self.prompts} if self.prompts else {}
            avoided |= {name: [self.negative]} if self.negative is not None else {}
        return asked, avoided

    def batches(self) -> Iterator[Batch]:
        """Divide the set; the division does not depend on the number of devices."""
        every = self.indices
        if not self.exact:
            for start in every[:: self.batch]:
                indices = range(start, min(start + self.batch, every.stop))
                yield Batch(indices, indices)
            return
        for start in range(self.first // MICRO_BATCH * MICRO_BATCH, every.stop, MICRO_BATCH):
            stop = start + MICRO_BATCH
            yield Batch(range(start, stop), range(max(start, every.start), min(stop, every.stop)))
