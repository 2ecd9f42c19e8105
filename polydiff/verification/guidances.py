"""What guidances are held to, on a mixture whose components are the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from polydiff.core.condition import Condition, ConditionDims
from polydiff.core.denoiser import Denoiser, NetworkDenoiser
from polydiff.core.oracle import Mixture
from polydiff.core.prediction import prediction
from polydiff.core.schedule import Cosine, Flow, Schedule
from polydiff.nn.block import BlockOptions
from polydiff.nn.levels import levels
from polydiff.nn.unet import UNet
from polydiff.plugins.specs import GuidanceSpec
from polydiff.verification.known import mixture
from polydiff.verification.report import Check, at_most, guarded

EXACT = 1e-9
"""What rounding leaves of an identity, at most."""

Make = Callable[..., Denoiser]
"""Makes the guidance of a denoiser, with options."""

Batch = tuple[Tensor, Tensor, Condition]
"""States, (B, 2), their times, () or (B,), and conditions that pick a component each."""

UNMEASURED = "not measured: it needs the files of a model trained elsewhere"


class _OnLine(Denoiser):
    """A network of signals, told that numbers of an example are places on a line."""

    def __init__(self, network: NetworkDenoiser) -> None:
        super().__init__()
        self.schedule = network.schedule
        self.network = network

    @property
    def attention_layers(self) -> tuple[str, ...]:
        """Those of the network."""
        return self.network.attention_layers

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the network's estimate."""
        x0: Tensor = self.network(x_t[:, None], t, cond)
        return x0[:, 0]


class _Independent(Denoiser):
    """Two numbers that know nothing of each other, and a condition on each."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule
        self.numbers = nn.ModuleList(mixture(schedule) for _ in range(2))

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the exact estimate of each."""
        vectors = [None, None] if cond is None or cond.vector is None else cond.vector.chunk(2, 1)
        estimates = [
            number(x, t, None if vector is None else Condition(vector=vector))
            for number, x, vector in zip(self.numbers, x_t.T, vectors, strict=True)
        ]
        return torch.stack(estimates, 1)


class Unconditional(Denoiser):
    """Another denoiser that is told no condition."""

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.schedule = denoiser.schedule
        self.denoiser = denoiser

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the other's unconditional estimate."""
        x0: Tensor = self.denoiser(x_t, t)
        return x0


def claims(spec: GuidanceSpec) -> str:
    """Say at what options a guidance does nothing."""
    if spec.needs == "files":
        return UNMEASURED
    return ", ".join(f"{key}={value}" for key, value in spec.neutral.items()) + " is neutral" if spec.neutral else ""


def checks(make: Make, spec: GuidanceSpec) -> Iterator[Check]:
    """Hold a guidance to what its spec says."""
    if spec.needs == "files":
        return
    for name, data in (("cosine", _data(Cosine())), ("flow", _data(Flow()))):
        everywhere = {"neutral": _neutral} if spec.neutral else {}
        if spec.by_condition:
            everywhere["null"] = _null
        if spec.needs == "classifier":
            everywhere["classifier"] = _classifier
        if spec.apart:
            everywhere["independent"] = _independent
        for claim, measure in everywhere.items():
            yield from guarded(claim, partial(measure, make, spec, data, name), name)


def _neutral(make: Make, spec: GuidanceSpec, data: Mixture, name: str) -> Iterator[Check]:
    denoiser = _network(data.schedule) if spec.needs == "attention" else data
    guided = make(denoiser, **spec.neutral, **_stand_ins(spec, data))
    for x_t, t, cond in _batches():
        difference = _difference(guided(x_t, t, cond), denoiser(x_t, t, cond))
        yield at_most("neutral", difference, 0.0, "the estimate differs from the conditional one by", name)


def _null(make: Make, spec: GuidanceSpec, data: Mixture, name: str) -> Iterator[Check]:
    guided = make(data, **_guiding(spec), **_stand_ins(spec, data))
    for x_t, t, cond in _batches():
        plain = data(x_t, t)
        what = "the estimate differs from the unconditional one by"
        yield at_most("null", _difference(guided(x_t, t), plain), 0.0, f"without a condition {what}", name)
        difference = _difference(guided(x_t, t, cond.null()), plain)
        yield at_most("null", difference, EXACT, f"with a null condition {what}", name)


def _classifier(make: Make, spec: GuidanceSpec, data: Mixture, name: str) -> Iterator[Check]:
    """By Bayes' rule, an unconditional denoiser and the classes' probabilities make the conditional one."""
    guided = make(Unconditional(data), **_guiding(spec), **_stand_ins(spec, data))
    for x_t, t, cond in _batches():
        difference = _difference(guided(x_t, t, cond), data(x_t, t, cond))
        what = "with the exact classifier the estimate differs from the conditional one by"
        yield at_most("classifier", difference, EXACT, what, name)


def _independent(make: Make, spec: GuidanceSpec, data: Mixture, name: str) -> Iterator[Check]:
    """Of independent numbers, a condition on each guides that number alone, by its own scale."""
    denoiser = _Independent(data.schedule)
    scales = {"first": 2.0, "second": 0.5}
    guided = make(denoiser, **{**spec.neutral, "scales": scales})
    w = torch.tensor(list(scales.values()), dtype=torch.float64)
    for x_t, t, cond in _batches():
        assert cond.vector is not None
        zero = torch.zeros_like(cond.vector)
        one, other, both = (
            Condition(vector=torch.cat(parts, 1))
            for parts in ((cond.vector, zero), (zero, cond.vector), (cond.vector, cond.vector))
        )
        u, c = denoiser(x_t, t), denoiser(x_t, t, both)
        difference = _difference(guided(x_t, t, replace(both, alone={"first": one, "second": other})), u + w * (c - u))
        what = "with two conditions on independent numbers the estimate differs from that of each alone by"
        yield at_most("independent", difference, EXACT, what, name)


def _guiding(spec: GuidanceSpec) -> dict[str, Any]:
    """Give options at which it does something: numbers by 1 greater than those at which it does nothing."""
    return {
        key: value + 1 if isinstance(value, int | float) and not isinstance(value, bool) else value
        for key, value in spec.neutral.items()
    }


def _stand_ins(spec: GuidanceSpec, data: Mixture) -> dict[str, Any]:
    """Give what it takes besides values, known exactly."""
    match spec.needs:
        case "classifier":
            return {"classifier": lambda x_t, t, cond: data.log_density(x_t, t, cond) - data.log_density(x_t, t)}
        case "score":
            return {"score": lambda x_0, *_: -x_0.flatten(1).square().sum(1)}
        case "weaker":
            return {"weaker": Unconditional(data)}
        case _:
            return {}


def _network(schedule: Schedule) -> Denoiser:
    """Give a network that looks all over its input, with random weights, for what works inside one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet(
            1,
            1,
            ConditionDims(vector=3),
            levels(8, [1], blocks=1, attention=[0]),
            BlockOptions(head_width=8),
            embedding=8,
        )
        for weight in unet.parameters():
            nn.init.normal_(weight, std=0.3)
    return _OnLine(NetworkDenoiser(unet.double().requires_grad_(False), schedule, prediction("v")))


def _difference(x: Tensor, y: Tensor) -> float:
    return float((x - y).abs().nan_to_num(torch.inf).max())


def _batches() -> Iterator[Batch]:
    x_t = torch.tensor([[-1.2, 0.4], [0.3, -0.2], [0.9, 1.1], [0.1, 0.0]], dtype=torch.float64)
    cond = Condition(vector=torch.eye(3, dtype=torch.float64)[[0, 1, 2, 1]])
    yield x_t, torch.tensor(0.4, dtype=torch.float64), cond
    yield x_t, torch.tensor([0.1, 0.35, 0.6, 0.9], dtype=torch.float64), cond


def _data(schedule: Schedule) -> Mixture:
    means = torch.tensor([[-1.0, 0.2], [0.3, -0.6], [1.2, 0.9]], dtype=torch.float64)
    stds, weights = torch.tensor([[0.5, 0.6, 0.4], [0.4, 0.35, 0.25]], dtype=torch.float64)
    return Mixture(means, stds, weights, schedule)
