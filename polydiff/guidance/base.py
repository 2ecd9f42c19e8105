"""What all guidances have in common: one denoiser inside, and the times at which to guide it."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from polydiff.core.condition import Condition, concatenate
from polydiff.core.denoiser import Around, Denoiser, per_sample
from polydiff.errors import UsageError

ALWAYS = (0.0, 1.0)
"""The interval of all times."""


class Guidance(Around):
    """A denoiser made from another one.

    Where there is nothing to guide, and outside the interval, the estimate is the plain one and nothing more is
    evaluated.

    Parameters
    ----------
    denoiser
        What is guided.
    scale
        How much.
    interval
        The times, both ends included, at which to guide (Kynkäänniemi et al. 2024, https://arxiv.org/abs/2404.07724).

    Raises
    ------
    UsageError
        When the scale is not finite or the interval is none.
    """

    name: ClassVar[str]

    def __init__(self, denoiser: Denoiser, scale: float, interval: tuple[float, float]) -> None:
        super().__init__(denoiser)
        if not math.isfinite(scale):
            raise UsageError(f"guidance '{self.name}' needs a finite scale, got {scale}")
        if not 0 <= interval[0] < interval[1] <= 1:
            raise UsageError(f"guidance '{self.name}' needs an interval of times within 0 and 1, got {list(interval)}")
        self.scale = scale
        self.interval = interval

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the guided estimate of x_0."""
        inside = self.inside(t)
        if self.is_off(cond) or not inside.any():
            return estimate(self.denoiser, x_t, t, cond)
        plain, guided = self.guide(x_t, t, cond)
        return guided if inside.all() else torch.where(per_sample(inside, guided).to(guided.device), guided, plain)

    def inside(self, t: Tensor) -> Tensor:
        """Tell which times lie in the interval."""
        return (t >= self.interval[0]) & (t <= self.interval[1])

    @abstractmethod
    def is_off(self, cond: Condition | None) -> bool:
        """Tell whether there is nothing to guide."""

    @abstractmethod
    def guide(self, x_t: Tensor, t: Tensor, cond: Condition | None) -> tuple[Tensor, Tensor]:
        """Give the plain and the guided estimate."""


class ConditionGuidance(Guidance):
    """Guidance by the difference that the condition makes; with scale 1 the plain conditional estimate."""

    def is_off(self, cond: Condition | None) -> bool:
        """Tell whether there is no condition or the scale is 1."""
        return cond is None or not cond.asks or self.scale == 1

    def guide(self, x_t: Tensor, t: Tensor, cond: Condition | None) -> tuple[Tensor, Tensor]:
        """Evaluate the denoiser with the condition and without, or with what is avoided, in one call."""
        assert cond is not None
        c, u = together(self.denoiser, x_t, t, cond, cond.counterpart())
        return c, self.combine(c, u, x_t, t)

    @abstractmethod
    def combine(self, c: Tensor, u: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Make the guided estimate of the conditional and the unconditional one."""


def estimate(denoiser: Denoiser, x_t: Tensor, t: Tensor, cond: Condition | None) -> Tensor:
    """Evaluate a denoiser."""
    x0: Tensor = denoiser(x_t, t, cond)
    return x0


def together(denoiser: Denoiser, x_t: Tensor, t: Tensor, *conditions: Condition) -> tuple[Tensor, ...]:
    """Evaluate a denoiser under several conditions in one call."""
    times = len(conditions)
    each_t = t if t.ndim == 0 else t.repeat(times)
    return estimate(denoiser, torch.cat([x_t] * times), each_t, concatenate(conditions)).chunk(times)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Give each sample's inner product, shaped to broadcast: (B, 1, ...)."""
    return per_sample((a * b).flatten(1).sum(1) if a.ndim > 1 else a * b, a)
