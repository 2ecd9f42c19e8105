"""PLMS: the pseudo linear multistep method with its Runge-Kutta start."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.adams import PastNoise, extrapolated
from polydiff.sampling.ipndm import ADAMS_BASHFORTH
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, bounded, denoise, levels, noise_in


class PLMS(Sampler):
    """Liu et al. 2022, https://arxiv.org/abs/2202.09778, algorithm 2 (F-PNDM); PLMS is its name in Stable Diffusion.

    The first three steps are of the pseudo Runge-Kutta method, with four evaluations each (eq. 13): steps of DDIM with
    e_1 at t, e_2 and e_3 at the middle in time and e_4 at s give e' = (e_1 + 2 e_2 + 2 e_3 + e_4) / 6. The others take
    e' = (55 e_t - 59 e_1 + 37 e_2 - 9 e_3) / 24 (eq. 12). Both are of second order on uneven grids of rho. A first
    step from alpha_t = 0, and a Runge-Kutta step to sigma_s = 0, are of first order.
    """

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
        past = carry or ()
        if len(past) == 3:
            weighted = list(zip(ADAMS_BASHFORTH[3], past, strict=True))
        else:
            weighted = _runge_kutta(denoiser, x_t, x0, eps, t, s, cond) if bounded(t, s) else []
        x_s = extrapolated(x_t, x0, eps, t, s, weighted)
        return Step(x_s, x0, (PastNoise(t, eps), *past)[:3])


def _runge_kutta(
    denoiser: Denoiser, x_t: Tensor, x0: Tensor, eps: Tensor, t: Level, s: Level, cond: Condition | None
) -> list[tuple[float, PastNoise]]:
    """Give the noise at three later stages of a step, with its weights."""
    (m,) = levels(denoiser.schedule, torch.tensor([(t.t + s.t) / 2], dtype=torch.float64))
    stages: list[PastNoise] = []
    for level in (m, m, s):
        x = extrapolated(x_t, x0, eps, t, level, [(1.0, stage) for stage in stages[-1:]])
        stages.append(PastNoise(level, noise_in(x, denoise(denoiser, x, level, cond), level)))
    return list(zip((2 / 6, 2 / 6, 1 / 6), stages, strict=True))
