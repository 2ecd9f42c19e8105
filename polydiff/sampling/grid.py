"""Time grids: the times that a sampler visits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError, unknown

INFINITY = 5.0
"""The half-log-SNR that stands for an infinite one: beyond it there is next to nothing, or next to everything, of the
data.
"""


def uniform(_schedule: Schedule, steps: int) -> Tensor:
    """Space the times evenly in t."""
    return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


def half_log_snr(schedule: Schedule, steps: int) -> Tensor:
    """Space the times evenly in lambda = log(alpha / sigma), with `INFINITY` for where that is infinite.

    The first time is 1 and the last 0 all the same. Where no noise is left at t = 0, the last step is the one from
    lambda = `INFINITY` to the data.
    """
    ends = schedule.half_log_snr(torch.tensor([1.0, 0.0], dtype=torch.float64))
    low, high = ends.clamp(-INFINITY, INFINITY).where(ends.isinf(), ends).tolist()
    to_data = bool(ends[1].isinf())
    times = schedule.time(2 * torch.linspace(low, high, steps + 1 - to_data, dtype=torch.float64))
    times[0] = 1
    if to_data:
        return torch.cat([times, times.new_zeros(1)])
    times[-1] = 0
    return times


GRIDS: dict[str, Callable[[Schedule, int], Tensor]] = {"t": uniform, "half-log-snr": half_log_snr}


def time_grid(name: str, schedule: Schedule, steps: int) -> Tensor:
    """Give the grid of that name: (steps + 1,) float64 times, decreasing from 1 to 0.

    Raises
    ------
    UsageError
        When there is no such grid or no step.
    """
    if name not in GRIDS:
        raise UsageError(unknown("time grid", name, GRIDS))
    if steps < 1:
        raise UsageError(f"a sampler needs at least one step, got {steps}")
    return GRIDS[name](schedule, steps)
