"""DDPM: ancestral sampling from the posterior of each step."""

from __future__ import annotations

import math
from typing import Any, Literal

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
        I). The step that ends at sigma_s = 0 adds no noise.
    """

    def __init__(self, *, variance: Literal["small", "large"] = "small") -> None:
        self.variance = variance

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        a = t.alpha / s.alpha
        remaining = (s.sigma / t.sigma) ** 2
        b2 = t.sigma**2 - a**2 * s.sigma**2
        x_s = a * remaining * x_t + s.alpha * b2 / t.sigma**2 * x0
        if s.sigma == 0:
            return Step(x_s, x0)
        return Step(x_s + math.sqrt(b2 * remaining if self.variance == "small" else b2) * noise(), x0)
