"""Exact denoisers of known data: what every sampler, guidance and network can be held against.

If x_0 is Gaussian N(m, s^2) then x_t is N(alpha m, alpha^2 s^2 + sigma^2), and E[x_0 | x_t] is linear in x_t. A
mixture of Gaussians stays one, with the posterior weights of its components. In one dimension the probability-flow
map is known without solving anything: it keeps the quantile, F_s(x_s) = F_t(x_t).
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Around, Denoiser, per_sample
from polydiff.core.schedule import Schedule, as_tensor
from polydiff.errors import UsageError

_BISECTIONS = 100


class Oracle(Denoiser):
    """An exact denoiser whose probability flow is known."""

    @abstractmethod
    def flow(self, x_t: Tensor, t: Tensor | float, s: Tensor | float) -> Tensor:
        """Carry x_t along the probability flow from t to s, exactly."""

    def toward(self, s: Tensor) -> Denoiser:
        """Give the exact flow map to s."""
        return ExactJump(self, s)


class ExactJump(Around):
    """The flow map of known data, as `Denoiser.toward` has it: (x_s - c x_t) / (alpha_s - c alpha_t) with c = sigma_s /
    sigma_t; to where it is, E[x_0 | x_t].
    """

    denoiser: Oracle

    def __init__(self, denoiser: Oracle, s: Tensor) -> None:
        super().__init__(denoiser)
        self.s = s

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the mean of x_0 along the trajectory from t to s; a condition says nothing here."""
        t, s = per_sample(as_tensor(t), x_t), per_sample(self.s, x_t)
        (alpha_t, sigma_t), (alpha_s, sigma_s) = ((c.to(x_t) for c in self.schedule(time)) for time in (t, s))
        c = sigma_s / sigma_t
        moved = alpha_s - c * alpha_t
        x_s = self.denoiser.flow(x_t, t, s)
        return torch.where(moved != 0, (x_s - c * x_t) / moved.where(moved != 0, 1), self.denoiser(x_t, t.flatten()))


class Mixture(Oracle):
    """A mixture of K isotropic Gaussians.

    A condition's vector, (B, K), multiplies the weights of the components: a one-hot vector picks one, zeros leave the
    mixture as it is.

    Parameters
    ----------
    means
        (K, *), where * is the shape of one example, () for plain numbers.
    stds, weights
        (K,); the weights are normalised.
    schedule
        Of the noise.

    Raises
    ------
    UsageError
        When the numbers of components differ or a std or weight is negative.
    """

    def __init__(self, means: Tensor, stds: Tensor, weights: Tensor, schedule: Schedule) -> None:
        super().__init__()
        if not len(means) == len(stds) == len(weights):
            raise UsageError(f"a mixture of {len(means)} means, {len(stds)} stds and {len(weights)} weights")
        if (stds < 0).any() or (weights < 0).any() or weights.sum() == 0:
            raise UsageError("a mixture's stds and weights must not be negative, nor all weights zero")
        self.schedule = schedule
        self.means = means
        self.stds = stds
        self.log_weights = (weights / weights.sum()).log()

    def _level(self, t: Tensor | float, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the components' means, (1 or B, K, *), and stds, (1 or B, K), at time t, and alpha, (1 or B, 1)."""
        alpha, sigma = (c.to(x).reshape(-1, 1) for c in self.schedule(as_tensor(t)))
        means = alpha.view(-1, 1, *(1,) * (self.means.ndim - 1)) * self.means
        return means, (alpha**2 * self.stds**2 + sigma**2).sqrt(), alpha

    def _log_joint(self, x_t: Tensor, t: Tensor | float, cond: Condition | None) -> Tensor:
        """Give log(w_k N(x_t; alpha m_k, v_k^2)), (B, K)."""
        means, v, _ = self._level(t, x_t)
        distance2 = (x_t[:, None] - means).flatten(2).pow(2).sum(2) if x_t.ndim > 1 else (x_t[:, None] - means) ** 2
        dims = math.prod(self.means.shape[1:])
        return self._log_weights(cond) - distance2 / (2 * v**2) - dims * (v * math.sqrt(2 * math.pi)).log()

    def _log_weights(self, cond: Condition | None) -> Tensor:
        if cond is None or cond.vector is None:
            return self.log_weights
        factors = torch.where((cond.vector == 0).all(1, keepdim=True), torch.ones_like(cond.vector), cond.vector)
        return (self.log_weights + factors.log()).log_softmax(1)

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give E[x_0 | x_t] = sum_k p(k | x_t) (m_k + alpha s_k^2 / v_k^2 (x_t - alpha m_k))."""
        means, v, alpha = self._level(t, x_t)
        posterior = self._log_joint(x_t, t, cond).softmax(1)
        trailing = (1,) * (self.means.ndim - 1)
        gain = (alpha * self.stds**2 / v**2).view(-1, len(self.stds), *trailing)
        x0 = self.means + gain * (x_t[:, None] - means)
        return (posterior.view(*posterior.shape, *trailing) * x0).sum(1)

    def variance(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give Var[x_0 | x_t], number by number: that within the components and that between them."""
        means, v, alpha = self._level(t, x_t)
        posterior = self._log_joint(x_t, t, cond).softmax(1)
        trailing = (1,) * (self.means.ndim - 1)
        gain = (alpha * self.stds**2 / v**2).view(-1, len(self.stds), *trailing)
        x0 = self.means + gain * (x_t[:, None] - means)
        weights = posterior.view(*posterior.shape, *trailing)
        mean = (weights * x0).sum(1, keepdim=True)
        within = (self.stds**2 * (1 - (alpha * self.stds / v) ** 2)).view(-1, len(self.stds), *trailing)
        return (weights * (within + (x0 - mean) ** 2)).sum(1)

    def log_density(self, x_t: Tensor, t: Tensor | float, cond: Condition | None = None) -> Tensor:
        """Give log p_t(x_t), (B,), in nats."""
        return self._log_joint(x_t, t, cond).logsumexp(1)

    def log_posterior(self, x_t: Tensor, t: Tensor | float) -> Tensor:
        """Give log p(k | x_t), (B, K): the exact classifier of noisy data by component."""
        return self._log_joint(x_t, t, None).log_softmax(1)

    def score(self, x_t: Tensor, t: Tensor | float, cond: Condition | None = None) -> Tensor:
        """Give the gradient of log p_t by Tweedie's formula, (alpha E[x_0 | x_t] - x_t) / sigma^2."""
        t = as_tensor(t)
        alpha, sigma = (per_sample(c, x_t).to(x_t) for c in self.schedule(t))
        score: Tensor = (alpha * self(x_t, t, cond) - x_t) / sigma**2
        return score

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw data, (count, *)."""
        k = torch.multinomial(self.log_weights.exp(), count, replacement=True, generator=generator)
        noise = torch.randn((count, *self.means.shape[1:]), generator=generator, dtype=self.means.dtype)
        return self.means[k] + per_sample(self.stds[k], noise) * noise

    def flow(self, x_t: Tensor, t: Tensor | float, s: Tensor | float) -> Tensor:
        """Carry x_t along the probability flow from t to s, exactly, by matching the quantile.

        Raises
        ------
        UsageError
            When an example has more than one number: the flow then has no closed form.
        """
        if math.prod(self.means.shape[1:]) != 1:
            raise UsageError("the exact flow of a mixture is known in one dimension only")
        goal = self._logit_quantile(x_t.flatten(), t)
        means, v, _ = self._level(s, x_t)
        spread = 40 * v.max()
        low = (means.min() - spread).expand_as(goal)
        high = (means.max() + spread).expand_as(goal)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            below = self._logit_quantile(middle, s) < goal
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return ((low + high) / 2).view_as(x_t)

    def _logit_quantile(self, x: Tensor, t: Tensor | float) -> Tensor:
        """Give log F - log(1 - F) of the marginal at t: monotone in x and precise in both tails."""
        means, v, _ = self._level(t, x)
        z = (x[:, None] - means.flatten(1)) / v
        lower = (self.log_weights + torch.special.log_ndtr(z)).logsumexp(1)
        upper = (self.log_weights + torch.special.log_ndtr(-z)).logsumexp(1)
        quantile: Tensor = lower - upper
        return quantile


class Gaussian(Oracle):
    """Independent Gaussian numbers, each with its own mean and std.

    Parameters
    ----------
    mean, std
        Broadcast against an example.
    schedule
        Of the noise.
    """

    def __init__(self, mean: Tensor, std: Tensor, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule
        self.mean = mean
        self.std = std

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give m + alpha s^2 / (alpha^2 s^2 + sigma^2) (x_t - alpha m); a condition says nothing here."""
        alpha, sigma = (per_sample(c, x_t).to(x_t) for c in self.schedule(t))
        gain = alpha * self.std**2 / (alpha**2 * self.std**2 + sigma**2)
        return self.mean + gain * (x_t - alpha * self.mean)

    def variance(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give Var[x_0 | x_t] = s^2 sigma^2 / (alpha^2 s^2 + sigma^2)."""
        alpha, sigma = (per_sample(c, x_t).to(x_t) for c in self.schedule(t))
        return (self.std**2 * sigma**2 / (alpha**2 * self.std**2 + sigma**2)).expand_as(x_t)

    def flow(self, x_t: Tensor, t: Tensor | float, s: Tensor | float) -> Tensor:
        """Carry x_t along the probability flow from t to s: the standardised value stays."""
        (m_t, v_t), (m_s, v_s) = self.moments(t), self.moments(s)
        return m_s + (x_t - m_t) * (v_s / v_t).sqrt()

    def moments(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """Give mean and variance of x_t."""
        alpha, sigma = (c.to(self.mean) for c in self.schedule(as_tensor(t)))
        return alpha * self.mean, (alpha * self.std) ** 2 + sigma**2
