"""DEIS: exponential integrators of Adams and Bashforth's kind, one evaluation a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError
from polydiff.sampling.adams import PastNoise, extrapolated
from polydiff.sampling.quadrature import gauss_legendre
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, denoise, noise_in

Variable = Literal["t", "rho", "log-rho"]


class DEIS(Sampler):
    """Zhang & Chen 2023, https://arxiv.org/abs/2204.13902, eq. 14-15 (AB-DEIS), on any schedule.

    The noise in the state, eps, is taken for a polynomial through its last values and integrated exactly:
    x_s / alpha_s = x_t / alpha_t + sum_i C_i eps_i, C_i = int l_i d(rho) from rho_t to rho_s, with rho = sigma / alpha
    and l_i the Lagrange polynomials. The first steps are of as high an order as they have values, and a step to where
    the variable is infinite, as log-rho is where no noise is left, is of first order.

    Parameters
    ----------
    order
        1 to 4: how many values; 1 is `ddim`.
    variable
        What eps is a polynomial in: the time "t" (the paper's tAB), the noise level "rho" (its rhoAB) or "log-rho"
        (DPM-Solver's multistep method).
    """

    def __init__(self, *, order: int = 3, variable: Variable = "t") -> None:
        if not 1 <= order <= 4:
            raise UsageError(f"multistep samplers of Adams' kind have order 1 to 4, got {order}")
        self.order = order
        self.variable = variable

    def step(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        t: Level,
        s: Level,
        *,
        cond: Condition | None,
        carry: tuple[PastNoise, ...] | None,
        noise: Noise,
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        eps = noise_in(x_t, x0, t)
        ahead = math.isfinite(self._place(s))
        past = [each for each in carry or () if ahead and math.isfinite(self._place(each.level))]
        places = [self._place(level) for level in (t, *(each.level for each in past))]
        weights = self._weights(denoiser.schedule, places, t, s) if past else []
        x_s = extrapolated(x_t, x0, eps, t, s, list(zip(weights[1:], past, strict=True)))
        return Step(x_s, x0, (PastNoise(t, eps), *(carry or ()))[: self.order - 1])

    def _place(self, level: Level) -> float:
        match self.variable:
            case "t":
                return level.t
            case "rho":
                return level.ratio
            case "log-rho":
                return -level.half_log_snr

    def _weights(self, schedule: Schedule, places: Sequence[float], t: Level, s: Level) -> list[float]:
        """Give C_i / (rho_s - rho_t)."""
        u, du = gauss_legendre()
        rho = t.ratio + (s.ratio - t.ratio) * u
        match self.variable:
            case "t":
                x = schedule.time(torch.from_numpy(-2 * np.log(rho))).numpy()
            case "rho":
                x = rho
            case "log-rho":
                x = np.log(rho)
        return [
            float(np.prod([(x - b) / (a - b) for j, b in enumerate(places) if j != i], axis=0) @ du)
            for i, a in enumerate(places)
        ]
