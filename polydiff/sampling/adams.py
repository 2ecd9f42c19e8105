"""What methods of Adams' kind share: they extrapolate the noise in the state, eps, from earlier steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.sampling.sampler import Level, advance


@dataclass(frozen=True, slots=True)
class PastNoise:
    """An earlier level and the noise that the state there was found to hold."""

    level: Level
    eps: Tensor


def extrapolated(
    x_t: Tensor, x0: Tensor, eps: Tensor, t: Level, s: Level, past: Sequence[tuple[float, PastNoise]]
) -> Tensor:
    """Go from t to s with the noise of earlier levels, (weight, noise) each.

    Along the probability flow d(x / alpha) = eps d(rho), rho = sigma / alpha. The weights are shares of rho_s - rho_t,
    that of the noise at t being what is missing to 1, and so the step is one of first order and what the others add:
    x_s = ... + alpha_s (rho_s - rho_t) sum_i w_i (eps_i - eps). Without a past it is finite at alpha_t = 0, too.
    """
    x_s = advance(x_t, x0, t, s)
    for weight, each in past:
        x_s = torch.add(x_s, each.eps - eps, alpha=s.alpha * (s.ratio - t.ratio) * weight)
    return x_s
