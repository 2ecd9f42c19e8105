"""UniPC: predictor and corrector with one evaluation a step between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.sampling.exponential import phi
from polydiff.sampling.history import Past
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, advance, denoise


@dataclass(frozen=True, slots=True)
class Start:
    """Where the step before started: its corrected state and the estimates that it knew, the latest first."""

    x: Tensor
    past: tuple[Past, ...]


class UniPC(Sampler):
    """Zhao et al. 2023, https://arxiv.org/abs/2302.04867, algorithms 7 and 8 (UniP-p and UniC-p, data prediction).

    UniP-p predicts x_s by the estimates at t and p - 1 times before. The estimate made at that prediction serves twice:
    UniC-p takes the same step again with it among the others, which corrects x_s to order p + 1, and the next step
    starts from the corrected state and this estimate. What the last step gives is not corrected.

    With r_i = (lambda_i - lambda_t) / h and D_i = (x0_i - x0) / r_i, a step is that of first order plus alpha_s sum_i
    w_i D_i. Its weights solve sum_i r_i^(k-1) w_i = k! h phi_(k+1)(h) for as many k from 1 as there are D_i; where
    there is one, w = -B / 2. A step whose h is infinite is of first order.

    Parameters
    ----------
    order
        p, 1 to 3.
    variant
        "bh1" is B = -h, "bh2" is B = e^-h - 1.
    """

    def __init__(self, *, order: int = 2, variant: Literal["bh1", "bh2"] = "bh2") -> None:
        if not 1 <= order <= 3:
            raise UsageError(f"sampler 'unipc' has order 1 to 3, got {order}")
        self.order = order
        self.variant = variant

    def step(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        t: Level,
        s: Level,
        *,
        cond: Condition | None,
        carry: Start | None,
        noise: Noise,
    ) -> Step:
        """Correct the state at t, then go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        if t.alpha == 0:
            return Step(advance(x_t, x0, t, s), x0)
        if carry is not None:
            x_t = self._go(carry.x, t, [*carry.past, Past(t, x0)])
        past = (Past(t, x0), *(carry.past if carry is not None else ()))[: self.order]
        return Step(self._go(x_t, s, past if s.sigma > 0 else past[:1]), x0, Start(x_t, past))

    def _go(self, x_t: Tensor, s: Level, estimates: Sequence[Past]) -> Tensor:
        """Go to s from the level of the first estimate, with the others' help."""
        t, x0 = estimates[0].level, estimates[0].x0
        x_s = advance(x_t, x0, t, s)
        h = s.half_log_snr - t.half_log_snr
        places = [(each.level.half_log_snr - t.half_log_snr) / h for each in estimates[1:]]
        for r, weight, each in zip(places, self._weights(places, h), estimates[1:], strict=True):
            x_s = torch.add(x_s, each.x0 - x0, alpha=s.alpha * weight / r)
        return x_s

    def _weights(self, places: Sequence[float], h: float) -> list[float]:
        if len(places) == 1:
            return [h / 2 if self.variant == "bh1" else -math.expm1(-h) / 2]
        powers = range(len(places))
        matrix = np.array([[r**k for r in places] for k in powers]).reshape(len(places), len(places))
        moments = np.array([math.factorial(k + 1) * h * phi(k + 2, h) for k in powers])
        weights: list[float] = np.linalg.solve(matrix, moments).tolist()
        return weights
