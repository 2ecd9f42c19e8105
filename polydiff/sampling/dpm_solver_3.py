"""DPM-Solver-3: third order, three evaluations a step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, advance, bounded, denoise, level_at, noise_in

R_1, R_2 = 1 / 3, 2 / 3
"""Where in a step, as shares of h, the second and third evaluations are."""


class DPMSolver3(Sampler):
    """Lu et al. 2022, https://arxiv.org/abs/2206.00927, algorithm 2 (r_1 = 1/3, r_2 = 2/3).

    A step whose h = lambda_s - lambda_t is infinite is of first order.
    """

    evaluations = 3

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        x_s = advance(x_t, x0, t, s)
        if not bounded(t, s):
            return Step(x_s, x0)
        h = s.half_log_snr - t.half_log_snr
        s_1, s_2 = (level_at(denoiser.schedule, t.half_log_snr + r * h) for r in (R_1, R_2))
        eps = noise_in(x_t, x0, t)
        D_1 = _noise_at(denoiser, advance(x_t, x0, t, s_1), s_1, cond) - eps
        u_2 = torch.add(advance(x_t, x0, t, s_2), D_1, alpha=-s_2.sigma * R_2 / R_1 * _excess(R_2 * h))
        D_2 = _noise_at(denoiser, u_2, s_2, cond) - eps
        return Step(torch.add(x_s, D_2, alpha=-s.sigma / R_2 * _excess(h)), x0)


def _noise_at(denoiser: Denoiser, x: Tensor, level: Level, cond: Condition | None) -> Tensor:
    return noise_in(x, denoise(denoiser, x, level, cond), level)


def _excess(h: float) -> float:
    """Give (e^h - 1) / h - 1."""
    return math.expm1(h) / h - 1
