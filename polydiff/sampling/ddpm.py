"""DDPM: ancestral sampling from the posterior of each step."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, denoise


class DDPM(Sampler):
    """Ho, Jain & Abbeel 2020, https://arxiv.org/abs/2006.11239, eq. 6-7, on any schedule.

    With a = alpha_t / alpha_s and b^2 = sigma_t^2 - a^2 sigma_s^2, the noise added from s to t:
    x_s = a sigma_s^2 / sigma_t^2 x_t + alpha_s b^2 / sigma_t^2 x0 + v z.

    Parameters
    ----------
    variance
        "small" is v = b sigma_s / sigma_t, the posterior's own for known x_0; "large" is v = b, the one for data N(0,
        I); "learned" adds to the small variance what the denoiser's own `variance` of x_0 contributes,
        (alpha_s b^2 / sigma_t^2)^2 Var[x_0 | x_t], which makes it the true one of x_s given x_t (Bao et al. 2022,
        https://arxiv.org/abs/2201.06503). The step that ends at sigma_s = 0 adds no noise.
    """

    def __init__(self, *, variance: Literal["small", "large", "learned"] = "small") -> None:
        self.variance = variance

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        a = t.alpha / s.alpha
        remaining = (s.sigma / t.sigma) ** 2
        b2 = t.sigma**2 - a**2 * s.sigma**2
        of_x0 = s.alpha * b2 / t.sigma**2
        x_s = a * remaining * x_t + of_x0 * x0
        if s.sigma == 0:
            return Step(x_s, x0)
        match self.variance:
            case "small":
                return Step(x_s + math.sqrt(b2 * remaining) * noise(), x0)
            case "large":
                return Step(x_s + math.sqrt(b2) * noise(), x0)
            case "learned":
                learned = denoiser.variance(x_t, torch.tensor(t.t, dtype=torch.float64), cond)
                return Step(x_s + (b2 * remaining + of_x0**2 * learned).sqrt() * noise(), x0)
