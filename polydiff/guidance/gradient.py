"""Guidance by the gradient of a function: what a classifier and a score have in common."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser, per_sample
from polydiff.guidance.base import Guidance, estimate

Score = Callable[[Tensor, Tensor, Condition | None], Tensor]
"""Of (x, t, cond) to (B,), differentiable by x; each sample's is its own."""


class GradientGuidance(Guidance):
    """Guidance along a gradient; with scale 0 the plain estimate."""

    def is_off(self, cond: Condition | None) -> bool:
        """Tell whether the scale is 0."""
        return self.scale == 0

    def shifted(self, x0: Tensor, gradient: Tensor, t: Tensor) -> Tensor:
        """Add `scale` times a gradient by x_t to the score of x_t, in terms of the estimate of x_0.

        By Tweedie's formula x0 = (x_t + sigma^2 score) / alpha, so that x0 grows by sigma^2 / alpha times the gradient.
        At alpha = 0 the state says nothing of the data, the gradient is 0, and so is what is added.
        """
        alpha, sigma = self.schedule(t)
        gain = torch.where(alpha > 0, self.scale * sigma**2 / alpha, 0)
        return x0 + per_sample(gain, x0).to(x0) * gradient


def gradient_of(score: Score, x: Tensor, t: Tensor, cond: Condition | None) -> Tensor:
    """Differentiate a score by x, as (B, *), under a sampler's `no_grad` too."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(score(x, t, cond).sum(), x)[0]


def gradient_through(
    denoiser: Denoiser, score: Score, x_t: Tensor, t: Tensor, cond: Condition | None
) -> tuple[Tensor, Tensor]:
    """Give the estimate of x_0, and the gradient of its score by x_t."""
    with torch.enable_grad():
        x_t = x_t.detach().requires_grad_()
        x0 = estimate(denoiser, x_t, t, cond)
        gradient = torch.autograd.grad(score(x0, t, cond).sum(), x_t)[0]
    return x0.detach(), gradient
