"""Adaptive projected guidance: of the guidance, what changes the direction of the estimate and not its length."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.guidance.base import ALWAYS, ConditionGuidance, inner


class Momentum:
    """The running average of one walk's guidance, d <- d + beta d_before."""

    def __init__(self, beta: float) -> None:
        self.beta = beta
        self.average: Tensor | None = None

    def __call__(self, difference: Tensor, t: Tensor) -> Tensor:
        """Add the latest difference."""
        if t.ndim > 0:
            raise UsageError(
                "guidance 'apg' with momentum needs a sampler that takes all samples through the same times; "
                "this one does not: say momentum=0, or take another"
            )
        self.average = difference if self.average is None else torch.add(difference, self.average, alpha=self.beta)
        return self.average


class AdaptiveProjected(ConditionGuidance):
    """Sadat et al. 2024, https://arxiv.org/abs/2410.02416, on estimates of x_0.

    Of d = c - u, with u the unconditional and c the conditional estimate, the running average is taken along the walk;
    it is shortened to `threshold` where it is longer; and the part of it that is parallel to c, which saturates, counts
    `eta` times: c + (scale - 1) (d_orthogonal + eta d_parallel). Both parts and norms are of a whole sample.

    The average runs over the evaluations of one walk of a sampler, in their order: `along` begins a new one. Called
    by itself, each call is the first of a walk.

    Parameters
    ----------
    denoiser
        Trained with conditions and without.
    scale
        1 is plain conditional. With `eta` 1 and nothing else, this is `cfg`.
    eta
        Of the parallel part.
    threshold
        The paper's r: the largest norm of d, in the units of the data, summed over a sample; `None` is no limit.
    momentum
        The paper's beta; negative pushes away from where the guidance has pointed before, 0 forgets it.
    interval
        The times, both ends included, at which to guide.
    """

    name = "apg"

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        scale: float,
        eta: float = 0.0,
        threshold: float | None = None,
        momentum: float = -0.5,
        interval: tuple[float, float] = ALWAYS,
    ) -> None:
        super().__init__(denoiser, scale, interval)
        if threshold is not None and threshold <= 0:
            raise UsageError(f"guidance 'apg' needs a threshold above 0, got {threshold}")
        if not -1 < momentum < 1:
            raise UsageError(f"guidance 'apg' needs a momentum between -1 and 1, got {momentum}")
        self.eta = eta
        self.threshold = threshold
        self.momentum = momentum
        self.average: Momentum | None = None

    def along(self, times: Tensor) -> Sequence[Denoiser]:
        """Begin an average that the steps of this walk share."""
        if self.momentum == 0:
            return super().along(times)
        average = Momentum(self.momentum)
        return [self.copied(denoiser=each, average=average) for each in self.denoiser.along(times)]

    def combine(self, c: Tensor, u: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Add the projected difference to c."""
        d = c - u
        if self.average is not None:
            d = self.average(d, t)
        if self.threshold is not None:
            d = d * (self.threshold / inner(d, d).sqrt()).clamp(max=1)
        length2 = inner(c, c)
        parallel = torch.where(length2 > 0, inner(d, c) / length2, 0) * c
        return c + (self.scale - 1) * (d - (1 - self.eta) * parallel)
