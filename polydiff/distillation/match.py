"""Learning what the teacher estimates: guidance in one evaluation, another prediction, another network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.schedule import Schedule
from polydiff.distillation.distillation import Distillation, Rung, noised, stratum
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
    """

    def __init__(self, *, teacher: Teacher, weighting: Weighting, times: list[float]) -> None:
        super().__init__(teacher, weighting)
        self.grid = times

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
        """Compare with the teacher at x_t."""
        x_t = noised(denoiser.schedule, x0, t, eps)
        return self.distance(denoiser, x_t, t, self.teacher.x0(x_t, t, cond, mask), cond, mask)
