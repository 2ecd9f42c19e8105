"""Judging models: what a sample takes, how far it is from real data and how far from the teacher's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from polydiff.core.noise import Seeds
from polydiff.data.examples import ExampleSet
from polydiff.errors import UsageError
from polydiff.metrics.mmd import kernel_mmd2, median_scale
from polydiff.model.model import Model
from polydiff.model.settings import Guidance
from polydiff.plugins.host import host
from polydiff.plugins.specs import MetricSpec

BATCH = 64
"""Samples made at a time."""

FALLBACK = "mmd"
"""What a modality without metrics of its own is judged by: the kernel MMD^2 of encoded contents, number by number."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model's samples are like.

    Attributes
    ----------
    evaluations
        Of the network, for one sample; guidance that asks it twice counts twice.
    seconds
        For one sample, of batches of `BATCH`.
    figures
        The modality's metrics against real data, by name.
    distance
        The root mean square of the difference to what the reference makes of the same noise.
    """

    evaluations: float
    seconds: float
    figures: Mapping[str, float]
    distance: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A registered metric, or what stands in for one: `(generated, real) -> dict`, with a `value` in it."""

    name: str
    ideal: float
    compare: Callable[[Any, Any], Mapping[str, Any]]
    encoded: bool = False

    def value(self, generated: Any, real: Any) -> float:
        """Compare two sets."""
        return float(self.compare(generated, real)["value"])

    def off(self, value: float) -> float:
        """Tell how far a value is from the ideal."""
        return abs(value - self.ideal)


@dataclass
class Judge:
    """The same noise, conditions and real data for every model.

    Parameters
    ----------
    model
        The teacher: its codec says what contents are.
    examples
        Held-out data, of which sample i has the conditions of the i-th.
    samples
        How many, at most: no more than there are examples.

    Attributes
    ----------
    reference
        What the first model that is judged makes of the noise.
    halves
        The metrics between the even and the odd real data.
    """

    model: Model
    examples: ExampleSet
    samples: int
    seed: int = 0
    reference: Tensor | None = field(default=None, init=False)
    halves: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        count = min(self.samples, len(self.examples))
        if count < 4:
            raise UsageError(f"a receipt takes 4 examples at least, and there are {count}; see data.holdout")
        items = [self.examples[i] for i in range(count)]
        self.count = count
        self.metrics = metrics(self.model.config.modality)
        self.real = self._forms(torch.stack([item.x for item in items]))
        self.conditions = {name: [item.conditions[name] for item in items] for name in items[0].conditions}
        self.halves = {each.name: each.value(*(self.real[each.encoded][i::2] for i in (0, 1))) for each in self.metrics}

    def __call__(self, model: Model, **settings: Any) -> Judgement:
        """Judge a model in evaluation mode, sampled as its recipe and `settings` say; the first is the reference."""
        start = time.perf_counter()
        with _counting(model.backbone) as rows:
            x = torch.cat([self._sample(model, place, **settings) for place in range(0, self.count, BATCH)])
        seconds = time.perf_counter() - start
        if self.reference is None:
            self.reference = x
        distance = float((x - self.reference).double().square().mean().sqrt())
        made = self._forms(x)
        figures = {each.name: each.value(made[each.encoded], self.real[each.encoded]) for each in self.metrics}
        return Judgement(sum(rows) / self.count, seconds / self.count, figures, distance)

    def beyond(self, figures: Mapping[str, float], teacher: Mapping[str, float], limit: float) -> list[str]:
        """Name the metrics by which one is more than `limit` times as far from the ideal as the teacher.

        Nearer than one half of the real data is to the other counts as that near.
        """
        found = []
        for each in self.metrics:
            value, *near = (each.off(some[each.name]) for some in (figures, teacher, self.halves))
            if not value <= limit * max(near):
                found.append(each.name)
        return found

    def _sample(self, model: Model, place: int, *, guidance: Guidance | None = None, **settings: Any) -> Tensor:
        rows = range(place, min(place + BATCH, self.count))
        conditions = {name: [self.conditions[name][i] for i in rows] for name in model.conditioners}
        return model.sample(Seeds(self.seed, rows), conditions, guidance=guidance, **settings).cpu()

    def _forms(self, x: Tensor) -> tuple[Sequence[Any], Tensor]:
        """Give samples as contents and as they are encoded; the real ones have gone through the codec, too."""
        needed = any(not each.encoded for each in self.metrics)
        return (self.model.codec.decode(x.to(self.model.device)) if needed else ()), x


def metrics(modality: str) -> list[Metric]:
    """Give the metrics of sets that a modality has, or what stands in for them."""
    specs = [entry.spec for entry in host().all(MetricSpec) if entry.modality == modality]
    found = [
        Metric(spec.name, spec.ideal, host().load(spec))
        for spec in specs
        if isinstance(spec, MetricSpec) and not spec.pairs
    ]
    return found or [Metric(FALLBACK, 0.0, _mmd, encoded=True)]


def _mmd(generated: Tensor, real: Tensor) -> dict[str, float]:
    x, y = (each.flatten(1).double() for each in (generated, real))
    return {"value": kernel_mmd2(x, y, median_scale(y))}


@contextmanager
def _counting(network: nn.Module) -> Iterator[list[int]]:
    """List how many samples each evaluation of a network is of."""
    rows: list[int] = []
    handle = network.register_forward_pre_hook(lambda _module, arguments: rows.append(len(arguments[0])))
    try:
        yield rows
    finally:
        handle.remove()
