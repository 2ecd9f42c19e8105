"""DDIM: the probability flow by exponential Euler steps, with any share of the posterior's noise."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, denoise


class DDIM(Sampler):
    """Song, Meng & Ermon 2021, https://arxiv.org/abs/2010.02502, eq. 12 and 16, on any schedule.

    x_s = alpha_s x0 + sqrt(sigma_s^2 - v^2) eps + v z, where eps = (x_t - alpha_t x0) / sigma_t and
    v = eta sigma_s sqrt(1 - (alpha_t sigma_s / (alpha_s sigma_t))^2).

    Parameters
    ----------
    eta
        0 follows the probability flow (on `flow` schedules: Euler's method), 1 draws the posterior's noise as DDPM
        does.
    """

    def __init__(self, *, eta: float = 0.0) -> None:
        if not 0 <= eta <= 1:
            raise UsageError(f"sampler 'ddim' needs eta between 0 and 1, got {eta}")
        self.eta = eta

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        ratio = t.alpha * s.sigma / (s.alpha * t.sigma)
        v = self.eta * s.sigma * math.sqrt(1 - ratio**2)
        c_x = math.sqrt(s.sigma**2 - v**2) / t.sigma
        x_s = torch.add(c_x * x_t, x0, alpha=s.alpha - t.alpha * c_x)
        return Step(torch.add(x_s, noise(), alpha=v) if v > 0 else x_s, x0)
