"""DPM-Solver++(2M): second order, one evaluation a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, denoise


@dataclass(frozen=True, slots=True)
class History:
    """The step before: its level and its estimate of x_0."""

    level: Level
    x0: Tensor


class DPMpp2M(Sampler):
    """Lu et al. 2022, https://arxiv.org/abs/2211.01095, algorithm 2.

    With h = lambda_s - lambda_t and h' that of the step before, the estimate is extrapolated to the middle of the step,
    D = x0 + h / (2 h') (x0 - x0'), and x_s = (sigma_s / sigma_t) x_t + (alpha_s - alpha_t sigma_s / sigma_t) D.
    The first step, and one that ends at sigma_s = 0 where h is infinite, take D = x0.
    """

    def step(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        t: Level,
        s: Level,
        *,
        cond: Condition | None,
        carry: History | None,
        noise: Noise,
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        D = x0
        if carry is not None and s.sigma > 0:
            assert carry.level.t > t.t, "the history is of a later time"
            h, h_before = s.half_log_snr - t.half_log_snr, t.half_log_snr - carry.level.half_log_snr
            if math.isfinite(h_before):
                D = torch.lerp(carry.x0, x0, 1 + h / (2 * h_before))
        c_x = s.sigma / t.sigma
        return Step(torch.add(c_x * x_t, D, alpha=s.alpha - t.alpha * c_x), x0, History(t, x0))
