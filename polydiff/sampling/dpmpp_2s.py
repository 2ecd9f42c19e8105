"""DPM-Solver++(2S): second order, two evaluations a step."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, advance, bounded, denoise, level_at


class DPMpp2S(Sampler):
    """Lu et al. 2022, https://arxiv.org/abs/2211.01095, algorithm 1 (r = 1/2).

    The whole step takes the estimate made at its middle in lambda, x_s = (sigma_s / sigma_t) x_t + (alpha_s - alpha_t
    sigma_s / sigma_t) x0_m. A step whose h is infinite is of first order.
    """

    evaluations = 2

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        if not bounded(t, s):
            return Step(advance(x_t, x0, t, s), x0)
        m = level_at(denoiser.schedule, (t.half_log_snr + s.half_log_snr) / 2)
        x0_m = denoise(denoiser, advance(x_t, x0, t, m), m, cond)
        return Step(advance(x_t, x0_m, t, s), x0)
