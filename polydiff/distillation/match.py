"""Learning what the teacher estimates: guidance in one evaluation, another prediction, another network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.schedule import Schedule
from polydiff.distillation.distillation import Distillation, Rung, noised, stratum
from polydiff.distillation.features import feature_distance, features
from polydiff.errors import UsageError
from polydiff.recipe.component import Component
from polydiff.training.teacher import Teacher, Told
from polydiff.training.weighting import Weighting

SAMPLERS = ("ddim", "euler", "ddpm", "euler-ancestral")
"""What walks a grid with one evaluation a step and remembers nothing."""


class Match(Distillation):
    """The teacher's own x_0, guidance and all (Meng et al. 2023, https://arxiv.org/abs/2210.03142, section 3.1).

    Parameters
    ----------
    times
        At which the student is to be right, falling from 1 to 0.
    features
        How much the distance of the networks' features counts, beside that of the outputs; see `feature_distance`.

    Raises
    ------
    UsageError
        When `features` is negative or infinite.
    """

    def __init__(self, *, teacher: Teacher, weighting: Weighting, times: list[float], features: float = 0.0) -> None:
        super().__init__(teacher, weighting)
        if not 0 <= features < math.inf:
            raise UsageError(f"'match' takes finite features >= 0, not {features:g}")
        self.grid = times
        self.features = features

    @classmethod
    def plan(cls, times: Sequence[float], steps: int) -> Sequence[Rung]:
        """Give the one rung: a student of as many steps."""
        method = Component("match", {"times": list(times)})
        return [Rung(f"match-{len(times) - 1}", method, tuple(times), SAMPLERS)]

    def times(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give the times of the grid, all alike."""
        return stratum(u, self.grid)

    def losses(
        self,
        denoiser: NetworkDenoiser,
        x0: Tensor,
        t: Tensor,
        eps: Tensor,
        cond: Told,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compare with the teacher at x_t: what it estimates with guidance, and its features without."""
        x_t = noised(denoiser.schedule, x0, t, eps)
        target = self.teacher.x0(x_t, t, cond, mask)
        if not self.features:
            return self.distance(denoiser, x_t, t, target, cond, mask)
        with features(denoiser.backbone) as ours:
            loss = self.distance(denoiser, x_t, t, target, cond, mask)
        network = self.teacher.model.denoiser
        with torch.no_grad(), features(network.backbone) as its:
            network.output(x_t, t, cond.teacher, mask)
        return loss + self.features * feature_distance(ours, its)
