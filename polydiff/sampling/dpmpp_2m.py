"""DPM-Solver++(2M): second order, one evaluation a step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.history import Past
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, advance, denoise


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
        carry: Past | None,
        noise: Noise,
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        return Step(advance(x_t, at_middle(x0, carry, t, s), t, s), x0, Past(t, x0))


def at_middle(x0: Tensor, past: Past | None, t: Level, s: Level) -> Tensor:
    """Extrapolate the estimate to the middle of a step by the one before it, where both are finite in lambda."""
    if past is None or s.sigma == 0:
        return x0
    assert past.level.t > t.t, "the history is of a later time"
    h, h_before = s.half_log_snr - t.half_log_snr, t.half_log_snr - past.level.half_log_snr
    return torch.lerp(past.x0, x0, 1 + h / (2 * h_before)) if math.isfinite(h_before) else x0
