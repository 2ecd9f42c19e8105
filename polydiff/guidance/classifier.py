"""Classifier guidance: up the gradient of the probability that a classifier gives to what is wanted."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.guidance.base import ALWAYS, estimate
from polydiff.guidance.gradient import GradientGuidance, Score, gradient_of, gradient_through


class Classifier(GradientGuidance):
    """x0 + scale sigma^2 / alpha grad log p, the gradient by x_t.

    With a classifier of noisy data, p = p(y | x_t) (Dhariwal & Nichol 2021, https://arxiv.org/abs/2105.05233,
    algorithm 2): the exact one at scale 1 makes the exact conditional estimate of the unconditional one, by Bayes'
    rule. With one of clean data, p = p(y | x0(x_t)), differentiated through the denoiser (Bansal et al. 2023,
    https://arxiv.org/abs/2302.07121), which no longer is exact: it takes x_0 for known.

    Parameters
    ----------
    denoiser
        What is guided; it is given the condition, too.
    classifier
        Gives log p of what is wanted, (B,), of (x, t, cond), where x is x_t or the estimate of x_0; differentiable.
    scale
        0 is off.
    of
        Whether the classifier is one of noisy data or of clean data.
    interval
        The times, both ends included, at which to guide.
    """

    name = "classifier"

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        classifier: Score,
        scale: float = 1.0,
        of: Literal["noisy", "clean"] = "noisy",
        interval: tuple[float, float] = ALWAYS,
    ) -> None:
        super().__init__(denoiser, scale, interval)
        self.classifier = classifier
        self.of = of

    def guide(self, x_t: Tensor, t: Tensor, cond: Condition | None) -> tuple[Tensor, Tensor]:
        """Shift the estimate along the gradient."""
        if self.of == "clean":
            x0, gradient = gradient_through(self.denoiser, self.classifier, x_t, t, cond)
        else:
            x0, gradient = estimate(self.denoiser, x_t, t, cond), gradient_of(self.classifier, x_t, t, cond)
        return x0, self.shifted(x0, gradient, t)
