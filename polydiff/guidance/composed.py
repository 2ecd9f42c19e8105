"""Composed guidance: a scale for each of several conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.guidance.base import ALWAYS, Guidance, estimate, together


class Composed(Guidance):
    """u + sum_i w_i (c_i - u), with u the unconditional estimate and c_i that of the i-th condition alone (Liu et al.
    2022, https://arxiv.org/abs/2206.01714).

    With all w_i = 1 this is the estimate of all conditions together where they are independent of each other given
    x_t; of one condition it is `cfg`. All estimates are evaluated in one call. Where there is no condition, or a single
    one with the scale 1, and outside the interval, the estimate is the plain one.

    Parameters
    ----------
    denoiser
        Trained with each condition and without: each dropped on its own.
    scales
        The w_i, by the name of the condition.
    scale
        Of conditions that `scales` does not name.
    interval
        The times, both ends included, at which to guide.
    """

    name = "composed"

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        scales: dict[str, float] | None = None,
        scale: float = 1.0,
        interval: tuple[float, float] = ALWAYS,
    ) -> None:
        super().__init__(denoiser, scale, interval)
        self.scales = dict(scales or {})
        if not torch.tensor(list(self.scales.values())).isfinite().all():
            raise UsageError(f"guidance 'composed' needs finite scales, got {self.scales}")

    def is_off(self, cond: Condition | None) -> bool:
        """Tell whether there is no condition, or one with the scale 1."""
        return cond is None or not cond.asks or self._weights(_each(cond)) == [1]

    def guide(self, x_t: Tensor, t: Tensor, cond: Condition | None) -> tuple[Tensor, Tensor]:
        """Evaluate the denoiser with each condition alone and with none; with all only where that is asked for."""
        assert cond is not None
        each = _each(cond)
        *c, u = together(self.denoiser, x_t, t, *each.values(), cond.counterpart())
        guided = u.clone()
        for w, alone in zip(self._weights(each), c, strict=True):
            guided += w * (alone - u)
        return guided if self.inside(t).all() else estimate(self.denoiser, x_t, t, cond), guided

    def _weights(self, each: Mapping[str, Condition]) -> list[float]:
        return [self.scales.get(name, self.scale) for name in each]


def _each(cond: Condition) -> dict[str, Condition]:
    """Give the conditions apart; one that is not made of others is one."""
    apart = cond.alone or {"": replace(cond, alone={}, avoided=None)}
    return {name: replace(each, perturbed=cond.perturbed) for name, each in apart.items()}
