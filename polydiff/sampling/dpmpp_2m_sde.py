"""SDE-DPM-Solver++(2M): two-step multistep sampling with noise, one evaluation a step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.sampling.dpmpp_2m import at_middle
from polydiff.sampling.history import Past
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, denoise


class DPMpp2MSDE(Sampler):
    """Lu et al. 2022, https://arxiv.org/abs/2211.01095, section 5 and appendix D, with any share of the noise.

    With D as in `dpm++2m` and h = lambda_s - lambda_t, x_s = (sigma_s / sigma_t) e^(-eta h) x_t + alpha_s (1 -
    e^(-(1 + eta) h)) D + sigma_s sqrt(1 - e^(-2 eta h)) z. Mean and variance of Gaussian data come out to second
    order.

    Parameters
    ----------
    eta
        0 is `dpm++2m`, 1 the reverse diffusion of Song et al. 2021.
    """

    def __init__(self, *, eta: float = 1.0) -> None:
        if eta < 0:
            raise UsageError(f"sampler 'dpm++2m-sde' needs eta >= 0, got {eta}")
        self.eta = eta

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
        ratio = s.ratio / t.ratio  # e^-h
        kept = ratio**self.eta
        x_s = torch.add(s.sigma / t.sigma * kept * x_t, at_middle(x0, carry, t, s), alpha=s.alpha * (1 - ratio * kept))
        spread = s.sigma * math.sqrt(1 - kept**2)
        return Step(torch.add(x_s, noise(), alpha=spread) if spread > 0 else x_s, x0, Past(t, x0))
