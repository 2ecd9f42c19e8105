"""Autoguidance: away from the estimate of a weaker model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.guidance.base import ALWAYS, Guidance, estimate


class Autoguidance(Guidance):
    """weak + scale (x0 - weak), with x0 the estimate of the model and weak that of a weaker one (Karras et al. 2024,
    https://arxiv.org/abs/2406.02507).

    The weaker model is trained on the same data, less, or is smaller: where it errs as the better one does, only more,
    the difference points to what is right. Both get the same condition, or none.

    Parameters
    ----------
    denoiser
        What is guided.
    weaker
        A denoiser on the same schedule. A recipe names a model folder or a run folder.
    scale
        1 is off.
    interval
        The times, both ends included, at which to guide.

    Raises
    ------
    UsageError
        When the schedules differ.
    """

    name = "autoguidance"

    def __init__(
        self, denoiser: Denoiser, *, weaker: Denoiser, scale: float, interval: tuple[float, float] = ALWAYS
    ) -> None:
        super().__init__(denoiser, scale, interval)
        if not _agree(denoiser, weaker):
            raise UsageError("guidance 'autoguidance' needs a weaker model with the schedule of the one that it guides")
        self.weaker = weaker

    def along(self, times: Tensor) -> Sequence[Denoiser]:
        """Follow both."""
        pairs = zip(self.denoiser.along(times), self.weaker.along(times), strict=True)
        return [
            self if better is self.denoiser and weaker is self.weaker else self.copied(denoiser=better, weaker=weaker)
            for better, weaker in pairs
        ]

    def is_off(self, cond: Condition | None) -> bool:
        """Tell whether the scale is 1."""
        return self.scale == 1

    def guide(self, x_t: Tensor, t: Tensor, cond: Condition | None) -> tuple[Tensor, Tensor]:
        """Evaluate both."""
        plain = estimate(self.denoiser, x_t, t, cond)
        told = cond and replace(cond, perturbed=None)  # whose attentions are those of the other network
        return plain, torch.lerp(estimate(self.weaker, x_t, t, told), plain, self.scale)


def _agree(one: Denoiser, other: Denoiser) -> bool:
    """Tell whether two schedules are the same function."""
    t = torch.linspace(0, 1, 17, dtype=torch.float64)
    return all(torch.allclose(a, b) for a, b in zip(one.schedule(t), other.schedule(t), strict=True))
