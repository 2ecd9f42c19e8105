"""CFG++: classifier-free guidance that renoises with the unconditional noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff.core.denoiser import Denoiser
from polydiff.guidance.base import ALWAYS, ConditionGuidance


class ClassifierFreePP(ConditionGuidance):
    """Chung et al. 2024, https://arxiv.org/abs/2406.08070: a step of DDIM whose estimate of x_0 is guided
    and whose noise is the unconditional one.

    x_s = alpha_s (u + scale (c - u)) + sigma_s (x_t - alpha_t u) / sigma_t, with u the unconditional and c the
    conditional estimate. DDIM with the one estimate u + w (c - u) in both places comes to the same x_s where

    w = scale alpha_s / (alpha_s - alpha_t sigma_s / sigma_t) = scale / (1 - e^-h), h = lambda_s - lambda_t,

    so this is classifier-free guidance whose scale is each step's own: larger in shorter steps, and `scale` itself in
    one from alpha_t = 0 or to sigma_s = 0. With a sampler of first order it is the paper's method exactly; those that
    evaluate more often, or look back, are given the same estimates. Called by itself, outside a walk, it is u + scale
    (c - u).

    Parameters
    ----------
    denoiser
        Trained with conditions and without.
    scale
        The paper's lambda, which it takes from 0 to 1: 0 is unconditional.
    interval
        The times, both ends included, at which to guide.
    """

    name = "cfg++"

    def __init__(self, denoiser: Denoiser, *, scale: float, interval: tuple[float, float] = ALWAYS) -> None:
        super().__init__(denoiser, scale, interval)

    def along(self, times: Tensor) -> Sequence[Denoiser]:
        """Give each step the w that its length asks for."""
        h = self.schedule.half_log_snr(times).diff()
        scales = (-self.scale / torch.expm1(-h)).tolist()
        return [self.copied(denoiser=each, scale=w) for each, w in zip(self.denoiser.along(times), scales, strict=True)]

    def combine(self, c: Tensor, u: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Extrapolate from u through c."""
        return torch.lerp(u, c, self.scale)
