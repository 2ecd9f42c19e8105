"""Energy guidance: up the gradient of any differentiable score of the predicted clean sample."""

from __future__ import annotations

from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser, per_sample
from polydiff.guidance.base import ALWAYS, estimate
from polydiff.guidance.gradient import GradientGuidance, Score, gradient_of, gradient_through


class Energy(GradientGuidance):
    """Towards the data's density times e^(scale score(x_0)).

    Through the denoiser (diffusion posterior sampling, Chung et al. 2023, https://arxiv.org/abs/2209.14687):
    x0 + scale sigma^2 / alpha grad score(x0(x_t)), the gradient by x_t. What this leaves out is how uncertain x_0 is
    given x_t, so that it is exact on Gaussian data where the score is linear, or is the log-likelihood of a
    measurement with that uncertainty, C_t, added to its variance: -|x - y|^2 / (2 (r^2 + C_t)), for which the score
    is given the time.

    Not through it: x0 + scale sigma^2 / (alpha^2 + sigma^2) grad score(x0), the gradient by x0, at the cost of no
    backward pass through the network (in the manner of He et al. 2024, https://arxiv.org/abs/2311.16424). By Tweedie's
    formula d x0 / d x_t is alpha / sigma^2 times the covariance of x_0 given x_t; the factor is this covariance for
    standard normal data.

    Parameters
    ----------
    denoiser
        What is guided.
    score
        Of (x0, t, cond) to (B,), differentiable; -U for an energy U. Larger is better.
    scale
        0 is off.
    through
        Whether to differentiate through the denoiser.
    interval
        The times, both ends included, at which to guide.
    """

    name = "energy"

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        score: Score,
        scale: float = 1.0,
        through: bool = True,
        interval: tuple[float, float] = ALWAYS,
    ) -> None:
        super().__init__(denoiser, scale, interval)
        self.score = score
        self.through = through

    def guide(self, x_t: Tensor, t: Tensor, cond: Condition | None) -> tuple[Tensor, Tensor]:
        """Shift the estimate along the gradient."""
        if self.through:
            x0, gradient = gradient_through(self.denoiser, self.score, x_t, t, cond)
            return x0, self.shifted(x0, gradient, t)
        x0 = estimate(self.denoiser, x_t, t, cond)
        alpha, sigma = self.schedule(t)
        gain = self.scale * sigma**2 / (alpha**2 + sigma**2)
        return x0, x0 + per_sample(gain, x0).to(x0) * gradient_of(self.score, x0, t, cond)
