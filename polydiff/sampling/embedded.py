"""Steps taken at two orders with the same evaluations, each sample's from a lambda of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from polydiff.core.denoiser import per_sample

Estimate = Callable[[Tensor, Tensor], Tensor]
"""Gives E[x_0] at y = x / alpha, (B, *), and lambda, (B,)."""

Trial = Callable[[Estimate, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Goes from y, whose x_0 is known, at lambda on by h, (B,) each; gives y by the lower order and by the higher."""


def pair_12(estimate: Estimate, y: Tensor, x0: Tensor, half_log_snr: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """DDIM and DPM-Solver-2 (Lu et al. 2022, https://arxiv.org/abs/2206.00927, algorithm 1), one more evaluation."""
    rho, rho_m, rho_s = (_rho(half_log_snr + r * h, y) for r in (0, 1 / 2, 1))
    eps = (y - x0) / rho
    y_m = y + (rho_m - rho) * eps
    eps_m = (y_m - estimate(y_m, half_log_snr + h / 2)) / rho_m
    return y + (rho_s - rho) * eps, y + (rho_s - rho) * eps_m


def pair_23(estimate: Estimate, y: Tensor, x0: Tensor, half_log_snr: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """DPM-Solver-2 with r_1 = 1/3 and DPM-Solver-3 with r_2 = 2/3 (algorithms 4 and 2), two more evaluations."""
    rho, rho_1, rho_2, rho_s = (_rho(half_log_snr + r * h, y) for r in (0, 1 / 3, 2 / 3, 1))
    eps = (y - x0) / rho
    u_1 = y + (rho_1 - rho) * eps
    D_1 = (u_1 - estimate(u_1, half_log_snr + h / 3)) / rho_1 - eps
    u_2 = y + (rho_2 - rho) * eps - 2 * rho_2 * _excess(2 / 3 * h, y) * D_1
    D_2 = (u_2 - estimate(u_2, half_log_snr + 2 / 3 * h)) / rho_2 - eps
    euler = y + (rho_s - rho) * eps
    return euler + 3 / 2 * (rho_s - rho) * D_1, euler - 3 / 2 * rho_s * _excess(h, y) * D_2


PAIRS: Mapping[int, Trial] = {2: pair_12, 3: pair_23}
"""By the higher order, which is the number of evaluations, too, with that of x_0."""


def _rho(half_log_snr: Tensor, like: Tensor) -> Tensor:
    return per_sample(torch.exp(-half_log_snr), like).to(like)


def _excess(h: Tensor, like: Tensor) -> Tensor:
    """Give (e^h - 1) / h - 1."""
    return per_sample(torch.expm1(h) / h - 1, like).to(like)
