"""Schedules: how much data and how much noise there is at a time, x_t = alpha_t x_0 + sigma_t eps.

A schedule is a map t -> log-SNR, where log-SNR = log(alpha^2 / sigma^2), and a family that splits a log-SNR into
alpha and sigma: variance preserving (alpha^2 + sigma^2 = 1), variance exploding (alpha = 1) or flow (alpha + sigma =
1). Data is at t = 0, noise at t = 1. Every formula below is arranged so that it is exact at both ends and loses no
digits near them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from polydiff.errors import UsageError


def as_tensor(t: Tensor | float) -> Tensor:
    """Take a Python number for float64."""
    return t if isinstance(t, Tensor) else torch.tensor(t, dtype=torch.float64)


class Schedule(ABC):
    """The map t -> (alpha, sigma); everything works elementwise on tensors of any shape, in their own precision.

    A Python number counts as float64.
    """

    @abstractmethod
    def log_snr(self, t: Tensor | float) -> Tensor:
        """Give log(alpha^2 / sigma^2), strictly decreasing in t; infinite where sigma or alpha is zero."""

    @abstractmethod
    def time(self, log_snr: Tensor | float) -> Tensor:
        """Give the time of a log-SNR: the exact inverse of `log_snr`."""

    @abstractmethod
    def coefficients(self, log_snr: Tensor | float) -> tuple[Tensor, Tensor]:
        """Split a log-SNR into (alpha, sigma)."""

    def __call__(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """Give (alpha_t, sigma_t), each of the shape of t."""
        return self.coefficients(self.log_snr(t))

    def half_log_snr(self, t: Tensor | float) -> Tensor:
        """Give lambda = log(alpha / sigma)."""
        return self.log_snr(t) / 2


class VariancePreserving(Schedule):
    """alpha^2 + sigma^2 = 1."""

    def coefficients(self, log_snr: Tensor | float) -> tuple[Tensor, Tensor]:
        """Give alpha = sqrt(sigmoid(log_snr)) and sigma = sqrt(sigmoid(-log_snr))."""
        log_snr = as_tensor(log_snr)
        return torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()


class Linear(VariancePreserving):
    """The continuous limit of DDPM's linear betas (Song et al. 2021, https://arxiv.org/abs/2011.13456, eq. 32-33).

    alpha_bar = exp(-B(t)) with B(t) = beta_min t + (beta_max - beta_min) t^2 / 2.

    Parameters
    ----------
    beta_min, beta_max
        The rate of noise at t = 0 and t = 1.
    zero_terminal_snr
        Shift and scale alpha so that no data is left at t = 1 (Lin et al. 2024, https://arxiv.org/abs/2305.08891).
    """

    def __init__(self, *, beta_min: float = 0.1, beta_max: float = 20.0, zero_terminal_snr: bool = False) -> None:
        if not 0 < beta_min < beta_max:
            raise UsageError(f"schedule 'linear' needs 0 < beta_min < beta_max, got {beta_min} and {beta_max}")
        self.beta_min = beta_min
        self.slope = beta_max - beta_min
        self.alpha_1 = math.exp(-(beta_min + self.slope / 2) / 2) if zero_terminal_snr else 0.0

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Give -log(exp(B) - 1), or the same of the shifted and scaled alpha."""
        t = as_tensor(t)
        B = t * (self.beta_min + self.slope * t / 2)
        if not self.alpha_1:
            return -torch.log(torch.expm1(B))
        remaining = (1 - t) * (self.beta_min + self.slope * (1 + t) / 2)  # B(1) - B(t), zero at t = 1 to the bit
        alpha = self.alpha_1 * torch.expm1(remaining / 2) / (1 - self.alpha_1)
        one_minus_alpha = -torch.expm1(-B / 2) / (1 - self.alpha_1)
        return 2 * alpha.log() - one_minus_alpha.log() - alpha.log1p()

    def time(self, log_snr: Tensor | float) -> Tensor:
        """Solve B(t) for t."""
        log_snr = as_tensor(log_snr)
        if self.alpha_1:
            one_minus_alpha = torch.sigmoid(-log_snr) / (1 + torch.sigmoid(log_snr).sqrt())
            B = -2 * torch.log1p(-(1 - self.alpha_1) * one_minus_alpha)
        else:
            B = torch.logaddexp(torch.zeros_like(log_snr), -log_snr)
        return 2 * B / (self.beta_min + (self.beta_min**2 + 2 * self.slope * B).sqrt())


class Cosine(VariancePreserving):
    """alpha = cos(a) / cos(a_0) with a = (t + s) / (1 + s) pi / 2 (Nichol & Dhariwal 2021,
    https://arxiv.org/abs/2102.09672, eq. 17).

    Its terminal SNR is zero.

    Parameters
    ----------
    s
        The offset that keeps the first noise from being too small; 0 gives alpha = cos(pi t / 2).
    """

    def __init__(self, *, s: float = 0.008) -> None:
        if s < 0:
            raise UsageError(f"schedule 'cosine' needs s >= 0, got {s}")
        self.s = s
        self.rate = math.pi / 2 / (1 + s)

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Give log of cos^2(a) / (sin(a - a_0) sin(a + a_0)), with cos(a) written as a sine that vanishes at t = 1."""
        t = as_tensor(t)
        cos_a = torch.sin((1 - t) * self.rate)
        return 2 * cos_a.log() - torch.sin(t * self.rate).log() - torch.sin((t + 2 * self.s) * self.rate).log()

    def time(self, log_snr: Tensor | float) -> Tensor:
        """Find the angle a from its sine and cosine."""
        log_snr = as_tensor(log_snr)
        a_0 = self.s * self.rate
        sin2, cos2 = math.sin(a_0) ** 2, math.cos(a_0) ** 2
        a = torch.atan2((sin2 + cos2 * torch.sigmoid(-log_snr)).sqrt(), (cos2 * torch.sigmoid(log_snr)).sqrt())
        return (a - a_0) / self.rate


_STEEPEST = 600
"""Beyond this, the exponentials of a logistic curve leave float64."""


class Sigmoid(VariancePreserving):
    """alpha_bar falls from 1 to 0 along a piece of a logistic curve (Jabri et al. 2023,
    https://arxiv.org/abs/2212.11972, appendix B).

    Its terminal SNR is zero.

    Parameters
    ----------
    start, end
        The piece of the curve.
    tau
        Temperature: the smaller, the steeper the middle.
    """

    def __init__(self, *, start: float = -3.0, end: float = 3.0, tau: float = 1.0) -> None:
        if start >= end or tau <= 0:
            raise UsageError(f"schedule 'sigmoid' needs start < end and tau > 0, got {start}, {end} and {tau}")
        if max(abs(start), abs(end), end - start) > _STEEPEST * tau:
            raise UsageError(f"schedule 'sigmoid' is too steep: start and end over tau must lie within {_STEEPEST}")
        self.start, self.end = start / tau, end / tau

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Use sigmoid(a) - sigmoid(b) = sinh((a - b) / 2) / (2 cosh(a / 2) cosh(b / 2))."""
        t = as_tensor(t)
        half = (self.end - self.start) / 2
        constant = math.log(math.cosh(self.start / 2) / math.cosh(self.end / 2))
        return torch.sinh(half * (1 - t)).log() - torch.sinh(half * t).log() + constant

    def time(self, log_snr: Tensor | float) -> Tensor:
        """Mix the curve's two ends by alpha^2 and sigma^2 and take the logit."""
        log_snr = as_tensor(log_snr)
        ends = torch.tensor([self.start, self.end], dtype=log_snr.dtype, device=log_snr.device)
        alpha2, sigma2 = torch.sigmoid(log_snr), torch.sigmoid(-log_snr)
        (low, high), (not_low, not_high) = torch.sigmoid(ends), torch.sigmoid(-ends)
        u = (high * sigma2 + low * alpha2).log() - (not_high * sigma2 + not_low * alpha2).log()
        t: Tensor = (u - self.start) / (self.end - self.start)
        return t


class EDM(Schedule):
    """alpha = 1, sigma^(1/rho) linear in t (Karras et al. 2022, https://arxiv.org/abs/2206.00364, eq. 5).

    Uniform times are Karras' grid. At t = 0 a noise of `sigma_min` is left.
    """

    def __init__(self, *, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> None:
        if not 0 < sigma_min < sigma_max or rho <= 0:
            raise UsageError(
                f"schedule 'edm' needs 0 < sigma_min < sigma_max and rho > 0, got {sigma_min}, {sigma_max} and {rho}"
            )
        self.rho = rho
        self.low, self.high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Give -2 log(sigma)."""
        log_snr: Tensor = -2 * self.rho * (self.low + as_tensor(t) * (self.high - self.low)).log()
        return log_snr

    def time(self, log_snr: Tensor | float) -> Tensor:
        """Invert sigma^(1/rho)."""
        t: Tensor = ((-as_tensor(log_snr) / (2 * self.rho)).exp() - self.low) / (self.high - self.low)
        return t

    def coefficients(self, log_snr: Tensor | float) -> tuple[Tensor, Tensor]:
        """Give alpha = 1 and sigma = exp(-log_snr / 2)."""
        log_snr = as_tensor(log_snr)
        return torch.ones_like(log_snr), (-log_snr / 2).exp()


class Flow(Schedule):
    """alpha = 1 - t, sigma = t: straight paths (Lipman et al. 2023, https://arxiv.org/abs/2210.02747; Liu et al.
    2023).
    """

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Give 2 log((1 - t) / t)."""
        t = as_tensor(t)
        return 2 * (torch.log1p(-t) - t.log())

    def time(self, log_snr: Tensor | float) -> Tensor:
        """Give sigmoid(-log_snr / 2)."""
        return torch.sigmoid(-as_tensor(log_snr) / 2)

    def coefficients(self, log_snr: Tensor | float) -> tuple[Tensor, Tensor]:
        """Give alpha = sigmoid(log_snr / 2) and sigma = sigmoid(-log_snr / 2)."""
        lambda_ = as_tensor(log_snr) / 2
        return torch.sigmoid(lambda_), torch.sigmoid(-lambda_)


class Shifted(Schedule):
    """Any schedule for data scaled by b: its log-SNR is moved by 2 log b, its family kept.

    A picture twice as large in each direction, whose neighbouring pixels say the same, needs b = 1/2
    (Hoogeboom et al. 2023, https://arxiv.org/abs/2301.11093, section 3.1); on `flow` it is the shift 1/b of
    Esser et al. 2024, https://arxiv.org/abs/2403.03206, eq. 23.
    """

    def __init__(self, *, base: Schedule, scale: float) -> None:
        if scale <= 0:
            raise UsageError(f"schedule 'shifted' needs scale > 0, got {scale}")
        self.base = base
        self.shift = 2 * math.log(scale)

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Give the base's log-SNR plus 2 log b."""
        return self.base.log_snr(t) + self.shift

    def time(self, log_snr: Tensor | float) -> Tensor:
        """Invert the base at the log-SNR less 2 log b."""
        return self.base.time(as_tensor(log_snr) - self.shift)

    def coefficients(self, log_snr: Tensor | float) -> tuple[Tensor, Tensor]:
        """Split as the base does."""
        return self.base.coefficients(log_snr)
