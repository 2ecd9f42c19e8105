"""What a recipe's `data` section comes to: examples to train on and examples that are held out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from polydiff.data.balance import weighted
from polydiff.data.cache import Cache
from polydiff.data.codec import Codec
from polydiff.data.encoded import EncodedCache, fingerprint
from polydiff.data.examples import ExampleSet
from polydiff.data.joined import Joined
from polydiff.data.order import Order, permutation
from polydiff.data.prepared import Prepared
from polydiff.data.source import Source
from polydiff.data.split import split
from polydiff.errors import DataError
from polydiff.plugins.host import host
from polydiff.plugins.specs import AugmentationSpec, ConditionerSpec, ModalitySpec, SourceSpec
from polydiff.recipe.build import build, build_source, complete
from polydiff.recipe.component import Component
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
        self, codec: Codec, made_from: Component, prepare: Mapping[str, Callable[[Any], Any]], seed: int
    ) -> tuple[ExampleSet, ExampleSet | None]:
        """Make the examples to train on and those held out, if there are some, encoded by a codec on the CPU.

        Parameters
        ----------
        made_from
            The codec as the resolved recipe has it.
        """
        config, sources = self.config, (self.config.source, *self.config.also)
        make = partial(ExampleSet, codec=codec, prepare=prepare, seed=seed, on_error=config.on_error)
        augment = [build(AugmentationSpec, each, modality=self.modality) for each in config.augment]
        cache = self._cache(codec, made_from, self.source, sources)
        examples = make(self.source, self.indices, augment=augment, order=self._order(), cache=cache)
        if not self.held_indices:
            return examples, None
        if config.validation is not None:
            cache = self._cache(codec, made_from, self.held_source, (config.validation,))
        return examples, make(self.held_source, self.held_indices, cache=cache)

    def prepared(
        self,
        prepare: Mapping[str, Callable[[Any], Any]],
        conditions: Mapping[str, Component],
        codec: Codec,
        made_from: Component,
    ) -> Mapping[str, Callable[[Any], Any]]:
        """Have the raw values that conditioners make of files kept, too, where there is a `data.cache`.

        Parameters
        ----------
        conditions, made_from
            The conditioners and the codec as the resolved recipe has them.
        """
        if self.config.cache is None:
            return prepare
        cache, codec_is = Cache(Path(self.config.cache)), fingerprint(codec, made_from.flat())
        plugins = {each.spec.name: str(each.plugin) for each in host().all(ConditionerSpec)}
        kept: dict[str, Callable[[Any], Any]] = {}
        for name, each in prepare.items():
            component = conditions[name]
            told = {"name": component.name, "options": component.options, "plugin": plugins[component.name]}
            kept[name] = Prepared(cache, each, {**told, "modality": self.modality, "codec": codec_is})
        return kept

    def _cache(
        self, codec: Codec, made_from: Component, source: Source, sources: Sequence[Component]
    ) -> EncodedCache | None:
        """Keep what is encoded of a source, versions of the modality's plugin apart."""
        if self.config.cache is None:
            return None
        cache = Cache(Path(self.config.cache))
        cache.check_room(len(source) * math.prod(codec.shape) * torch.float32.itemsize)
        plugins = [str(each.plugin) for each in host().all(ModalitySpec) if each.spec.name == self.modality]
        told = [complete(SourceSpec, each, modality=self.modality).flat() for each in sources]
        options = [{**each, "modality": self.modality, "plugins": plugins} for each in told]
        return EncodedCache(cache, source, options, fingerprint(codec, made_from.flat()))

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
