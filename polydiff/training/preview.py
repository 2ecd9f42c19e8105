"""Previews: what the model makes of the same noise as training goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch

from polydiff.conditioning.conditioner import Conditioner
from polydiff.core.noise import Seeds
from polydiff.data.examples import ExampleSet
from polydiff.model.model import Model

Draw = Callable[[Sequence[Any], Sequence[str]], bytes]
"""Makes a PNG of contents and their captions: a modality's preview function."""


class Previewer:
    """Samples a labelled batch and draws it; each preview starts from the same noise and conditions.

    Conditions with classes take these in turn; others are those of the first examples.
    """

    def __init__(self, model: Model, examples: ExampleSet, draw: Draw, *, samples: int, seed: int) -> None:
        self.draw = draw
        self.seeds = Seeds(seed, range(samples))
        self.conditions: dict[str, list[Any]] = {}
        texts: list[list[str]] = []
        for name, conditioner in cast(Mapping[str, Conditioner], model.conditioners).items():
            classes: Sequence[str] = getattr(conditioner, "classes", ())
            values = [
                conditioner.parse(classes[i % len(classes)]) if classes else examples[i].conditions[name]
                for i in range(samples)
            ]
            self.conditions[name] = values
            texts.append(["" if value is None else conditioner.describe(value) for value in values])
        self.captions = [", ".join(filter(None, each)) for each in zip(*texts, strict=True)] or [""] * samples

    @torch.no_grad()
    def __call__(self, model: Model) -> bytes:
        """Sample a model that is in evaluation mode and draw the picture, a PNG.

        Raises
        ------
        PolydiffError
            When the recipe's way of sampling does not work.
        """
        contents = model.codec.decode(model.sample(self.seeds, self.conditions))
        return self.draw(contents, self.captions)
