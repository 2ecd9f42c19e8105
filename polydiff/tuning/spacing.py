"""Time grids as free numbers: the logarithms of their steps in lambda = log(alpha / sigma)."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.core.schedule import Schedule
from polydiff.sampling.grid import INFINITY

_LEAST = 1e-3


class Spacing:
    """The grids of a number of steps, from t = 1 to t = 0.

    The (steps - 1) parameters p say where the times between are: lambda_i = lambda_(i-1) + exp(p_i). Where lambda is
    infinite at t = 1, lambda_0 is `-INFINITY`, or just below the first time of the grid that the search starts at.
    """

    def __init__(self, schedule: Schedule, start: Tensor) -> None:
        self.schedule = schedule
        inner = schedule.half_log_snr(start[1:-1])
        end = float(schedule.half_log_snr(1.0))
        self.first = min(max(end, -INFINITY), float(inner[0]) - _LEAST)
        self.start = torch.cat([inner.new_tensor([self.first]), inner]).diff().log()

    def times(self, parameters: Tensor) -> Tensor | None:
        """Give the grid, (steps + 1,); `None` where the times do not fall from 1 to 0."""
        inner = self.schedule.time(2 * (self.first + parameters.exp().cumsum(0)))
        times = torch.cat([inner.new_ones(1), inner, inner.new_zeros(1)])
        return times if bool((times.diff() < 0).all()) else None
