"""ER-SDE: stochastic multistep sampling with a noise scale to choose, one evaluation a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.sampling.history import Past
from polydiff.sampling.quadrature import gauss_legendre
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, denoise


class ERSDE(Sampler):
    """Cui et al. 2023, https://arxiv.org/abs/2309.06169, algorithms 2-4 (ER-SDE-Solvers), on any schedule.

    In y = x / alpha and rho = sigma / alpha, the paper's sigma, the reverse diffusions that keep the marginals have a
    noise scale phi to choose. With r = phi(rho_s) / phi(rho_t), and x0 a polynomial in rho,
    y_s = r y_t + (1 - r) x0 + c_1 x0' + c_2 x0'' + sqrt(rho_s^2 - r^2 rho_t^2) z, where
    c_k = (rho_s - rho_t)^k / k! + phi(rho_s) int (rho - rho_t)^(k-1) / (k-1)! / phi(rho) d(rho) from rho_s to rho_t.
    The derivatives are those of the polynomial at t; the paper takes the last difference for the first one, which is of
    second order at most. Mean and variance of Gaussian data come out to third order with the default phi, which adds
    little noise, and to second with eta = 1. A step from alpha_t = 0 or to sigma_s = 0 takes x0 for constant.

    Parameters
    ----------
    order
        1 to 3: through how many estimates the polynomial goes.
    eta
        phi = rho^(1 + eta): 0 follows the probability flow, 1 the reverse diffusion of Song et al. 2021. `None` is the
        paper's best, phi = rho (exp(rho^0.3) + 10): more noise where there is much.
    """

    def __init__(self, *, order: int = 3, eta: float | None = None) -> None:
        if not 1 <= order <= 3:
            raise UsageError(f"sampler 'er-sde' has order 1 to 3, got {order}")
        if eta is not None and eta < 0:
            raise UsageError(f"sampler 'er-sde' needs eta >= 0, got {eta}")
        self.order = order
        self.eta = eta

    def step(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        t: Level,
        s: Level,
        *,
        cond: Condition | None,
        carry: tuple[Past, ...] | None,
        noise: Noise,
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        past = (Past(t, x0), *(carry or ()))[: self.order] if t.alpha > 0 else ()
        kept = self._gain(s.ratio) / self._gain(t.ratio) if t.alpha > 0 else 0.0
        x_s = torch.add(s.sigma / t.sigma * kept * x_t, x0, alpha=s.alpha * (1 - s.ratio / t.ratio * kept))
        if s.sigma > 0 and len(past) > 1:
            for derivative, c in zip(_derivatives(past), self._coefficients(t, s), strict=False):
                x_s = torch.add(x_s, derivative, alpha=s.alpha * c)
        spread = s.sigma * math.sqrt(1 - kept**2)
        return Step(torch.add(x_s, noise(), alpha=spread) if spread > 0 else x_s, x0, past)

    def _gain(self, rho: float) -> float:
        """Give phi(rho) / rho."""
        return math.exp(rho**0.3) + 10 if self.eta is None else rho**self.eta

    def _coefficients(self, t: Level, s: Level) -> tuple[float, float]:
        """Give c_1 and c_2, integrated over log rho."""
        u, du = gauss_legendre()
        log_rho = math.log(s.ratio) + u * math.log(t.ratio / s.ratio)
        gain = np.array([self._gain(rho) for rho in np.exp(log_rho)])
        d_rho = du * math.log(t.ratio / s.ratio) * self._gain(s.ratio) * s.ratio / gain
        way = s.ratio - t.ratio
        return way + float(d_rho.sum()), way**2 / 2 + float((d_rho * (np.exp(log_rho) - t.ratio)).sum())


def _derivatives(past: Sequence[Past]) -> list[Tensor]:
    """Differentiate the polynomial in rho through two or three estimates, at the first of them."""
    rho = [each.level.ratio for each in past]
    first = (past[0].x0 - past[1].x0) / (rho[0] - rho[1])
    if len(past) == 2:
        return [first]
    second = (first - (past[1].x0 - past[2].x0) / (rho[1] - rho[2])) / (rho[0] - rho[2])
    return [torch.add(first, second, alpha=rho[0] - rho[1]), 2 * second]
