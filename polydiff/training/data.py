"""What a recipe's `data` section comes to: examples to train on and examples that are held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from polydiff.data.balance import weighted
from polydiff.data.codec import Codec
from polydiff.data.examples import ExampleSet
from polydiff.data.joined import Joined
from polydiff.data.order import Order, permutation
from polydiff.data.source import Source
from polydiff.data.split import split
from polydiff.errors import DataError
from polydiff.plugins.specs import AugmentationSpec, SourceSpec
from polydiff.recipe.build import build, build_source
from polydiff.recipe.schema import DataConfig


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Sources, and which of their items are for what.

    Attributes
    ----------
    indices
        Of `source`, to train on.
    held_source, held_indices
        To validate on; no indices when nothing is held out.
    """

    config: DataConfig
    modality: str
    source: Source
    indices: Sequence[int]
    held_source: Source
    held_indices: Sequence[int]

    @classmethod
    def of(cls, config: DataConfig, modality: str) -> TrainingData:
        """Build the sources; raises as `build` does."""
        source = build_source(config, modality)
        if config.validation is None:
            indices, held = split(len(source), config.holdout)
            return cls(config, modality, source, indices.tolist(), source, held.tolist())
        held_source: Source = build(SourceSpec, config.validation, modality=modality)
        return cls(config, modality, source, range(len(source)), held_source, range(len(held_source)))

    def contents(self, seed: int) -> Iterator[Any]:
        """Read what can be read, in the order of the first epoch, so that any part of it stands for all; the rest is
        reported when it is trained on.
        """
        for place in permutation(len(self.indices), seed, epoch=0):
            try:
                yield self.source[self.indices[place]].content
            except DataError:
                continue

    def examples(
        self, codec: Codec, prepare: Mapping[str, Callable[[Any], Any]], seed: int
    ) -> tuple[ExampleSet, ExampleSet | None]:
        """Make the examples to train on and those held out, if there are some, encoded by a codec on the CPU."""
        make = partial(ExampleSet, codec=codec, prepare=prepare, seed=seed, on_error=self.config.on_error)
        augment = [build(AugmentationSpec, each, modality=self.modality) for each in self.config.augment]
        examples = make(self.source, self.indices, augment=augment, order=self._order())
        return examples, make(self.held_source, self.held_indices) if self.held_indices else None

    def _order(self) -> Order:
        config, source = self.config, self.source
        if config.balance is None and not config.weights and all(each.weight == 1 for each in config.also):
            return permutation
        return weighted(
            [source.label(index) for index in self.indices],
            [source.place(index) if isinstance(source, Joined) else 0 for index in self.indices],
            balance=config.balance,
            weights=config.weights,
            source_weights=[1.0, *(each.weight for each in config.also)],
        )
