"""Heun's method on EDM's ODE, with churn: second order, two evaluations a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, advance, bounded, denoise, level_at


class Heun(Sampler):
    """Karras et al. 2022, https://arxiv.org/abs/2206.00364, algorithm 2, on any schedule.

    The ODE is that of x / alpha in rho = sigma / alpha, the paper's sigma: a step from rho_t to rho_s moves along the
    mean of the directions at its two ends, the further one at the state of a step of first order. In terms of the
    estimates of x_0 that is the step of first order plus alpha_s (rho_t / rho_s - 1) / 2 (x0_s - x0). A step that
    starts at alpha_t = 0 or ends at sigma_s = 0 is of first order.

    Before a step whose rho lies between S_tmin and S_tmax noise is added, up to (1 + gamma) rho, but no further than
    t = 1, where gamma = min(S_churn / N, sqrt(2) - 1) for N steps.

    Parameters
    ----------
    s_churn
        How much noise is added over all steps; without any, the method is deterministic.
    s_tmin, s_tmax
        Between which rho; `None` is no upper limit.
    s_noise
        The standard deviation of the added noise.
    """

    evaluations = 2

    def __init__(
        self, *, s_churn: float = 0.0, s_tmin: float = 0.0, s_tmax: float | None = None, s_noise: float = 1.0
    ) -> None:
        if s_churn < 0 or s_noise <= 0:
            raise UsageError(f"sampler 'heun' needs s_churn >= 0 and s_noise > 0, got {s_churn} and {s_noise}")
        if s_tmin < 0 or (s_tmax is not None and s_tmax <= s_tmin):
            raise UsageError(f"sampler 'heun' needs 0 <= s_tmin < s_tmax, got {s_tmin} and {s_tmax}")
        self.s_churn, self.s_noise = s_churn, s_noise
        self.s_tmin, self.s_tmax = s_tmin, math.inf if s_tmax is None else s_tmax

    def begin(self, path: Sequence[Level]) -> int:
        """Give N."""
        return len(path) - 1

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: int, noise: Noise
    ) -> Step:
        """Go from t to s."""
        if self.s_churn > 0 and t.t < 1 and self.s_tmin <= t.ratio <= self.s_tmax:
            gamma = min(self.s_churn / carry, math.sqrt(2) - 1)
            hat = _noisier(denoiser.schedule, t, 1 + gamma)
            x_t, t = noised(x_t, t, hat, self.s_noise, noise()), hat
        x_s, x0 = heun(denoiser, x_t, t, s, cond)
        return Step(x_s, x0, carry)


def heun(denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, cond: Condition | None) -> tuple[Tensor, Tensor]:
    """Go from t to s by Heun's method; give x_s and the estimate of x_0 at t."""
    x0 = denoise(denoiser, x_t, t, cond)
    x_s = advance(x_t, x0, t, s)
    if not bounded(t, s):
        return x_s, x0
    x0_s = denoise(denoiser, x_s, s, cond)
    return torch.add(x_s, x0_s - x0, alpha=s.alpha * (t.ratio / s.ratio - 1) / 2), x0


def noised(x_t: Tensor, t: Level, hat: Level, scale: float, noise: Tensor) -> Tensor:
    """Add noise to a state at t so that it becomes one at the noisier level `hat`."""
    gain = hat.alpha / t.alpha
    return torch.add(gain * x_t, noise, alpha=scale * math.sqrt(hat.sigma**2 - (gain * t.sigma) ** 2))


def _noisier(schedule: Schedule, t: Level, factor: float) -> Level:
    """Give the level of `factor` times the rho of t, or t = 1 where that has less."""
    half_log_snr = t.half_log_snr - math.log(factor)
    return level_at(schedule, max(half_log_snr, float(schedule.half_log_snr(1.0))))
