"""DPM-Solver-2: second order, two evaluations a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, advance, bounded, denoise, level_at


class DPMSolver2(Sampler):
    """Lu et al. 2022, https://arxiv.org/abs/2206.00927, algorithm 1 (r_1 = 1/2), also known as DPM2.

    With m the middle of the step in lambda and u its state by a step of first order, the noise that u is made of is
    that of the whole step, x_s = (alpha_s / alpha_t) x_t - sigma_s (e^h - 1) eps(u, m). In terms of the estimates of
    x_0 that is the step of first order plus sigma_s (e^h - 1) (alpha_m / sigma_m) (x0_m - x0). A step whose h is
    infinite is of first order.
    """

    evaluations = 2

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        x_s = advance(x_t, x0, t, s)
        if not bounded(t, s):
            return Step(x_s, x0)
        m = level_at(denoiser.schedule, (t.half_log_snr + s.half_log_snr) / 2)
        x0_m = denoise(denoiser, advance(x_t, x0, t, m), m, cond)
        return Step(torch.add(x_s, x0_m - x0, alpha=s.alpha * (t.ratio - s.ratio) / m.ratio), x0)
