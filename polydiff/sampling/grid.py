"""Time grids: the times that a sampler visits.

A grid is a function of a schedule and a number of steps that gives (steps + 1,) float64 times, decreasing from 1 to 0;
its options are keywords.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from polydiff.core.discrete import Discrete
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError, unknown

INFINITY = 5.0
"""The half-log-SNR that stands for an infinite one: beyond it there is next to nothing, or next to everything, of the
data.
"""


def uniform(schedule: Schedule, steps: int) -> Tensor:  # noqa: ARG001
    """Space the times evenly in t."""
    return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


def quadratic(schedule: Schedule, steps: int) -> Tensor:  # noqa: ARG001
    """Space the times evenly in the root of t (Song, Meng & Ermon 2021, https://arxiv.org/abs/2010.02502, D.2)."""
    return torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** 2


def half_log_snr(schedule: Schedule, steps: int, *, ends: tuple[float, float] = (-INFINITY, INFINITY)) -> Tensor:
    """Space the times evenly in lambda = log(alpha / sigma), with `ends` for where that is infinite.

    The first time is 1 and the last 0 all the same. Where no noise is left at t = 0, the last step is the one from
    lambda = `ends[1]` to the data. Where training saw a narrower range, as with times that are normal in log-SNR, so
    should `ends`: beyond it a network answers anything.

    Raises
    ------
    UsageError
        When the ends are not in order.
    """
    if ends[0] >= ends[1]:
        raise UsageError(f"time grid 'half-log-snr' needs ends from noise to data, got {list(ends)}")
    return _between_ends(schedule, steps, torch.lerp, ends)


def karras(schedule: Schedule, steps: int, *, rho: float = 7.0) -> Tensor:
    """Space the times evenly in (sigma / alpha)^(1 / rho): Karras et al. 2022, https://arxiv.org/abs/2206.00364, eq. 5.

    The ends are those of `half-log-snr`. On the schedule `edm` of the same rho this is the grid `t`.
    """
    if rho <= 0:
        raise UsageError(f"time grid 'karras' needs rho > 0, got {rho}")

    def half_log_snrs(low: Tensor, high: Tensor, u: Tensor) -> Tensor:
        return -rho * torch.lerp((-low / rho).exp(), (-high / rho).exp(), u).log()

    return _between_ends(schedule, steps, half_log_snrs)


def discrete(
    schedule: Schedule,
    steps: int,
    *,
    spacing: Literal["leading", "trailing", "linspace"] = "trailing",
    total: int | None = None,
) -> Tensor:
    """Visit only times that a model was trained at, n / T for whole n of 1 to T, and the data.

    The spacings are those of Lin et al. 2024, https://arxiv.org/abs/2305.08891, table 2.

    Parameters
    ----------
    spacing
        "trailing" counts down from T in even steps, rounded; "linspace" spaces T to 1 evenly, rounded; "leading" counts
        up from 1 by T / steps, rounded down, and so never reaches T: it takes pure noise for the state at an earlier
        time, which is wrong, but what many published models were sampled with.
    total
        T; `None` is the length of a `discrete` schedule's table, and 1000 for other schedules.
    """
    if total is None:
        total = len(schedule.alpha2) - 1 if isinstance(schedule, Discrete) else 1000
    if steps > total:
        raise UsageError(f"time grid 'discrete' has {total} times to choose from; that is not enough for {steps} steps")
    match spacing:
        case "trailing":
            visited = [round(total * n / steps) for n in range(steps, 0, -1)]
        case "linspace":
            visited = (torch.linspace(total - 1, 0, steps, dtype=torch.float64).round() + 1).tolist()
        case "leading":
            visited = [n * (total // steps) + 1 for n in range(steps - 1, -1, -1)]
    return torch.tensor([*visited, 0], dtype=torch.float64) / total


def explicit(schedule: Schedule, steps: int, *, times: tuple[float, ...]) -> Tensor:  # noqa: ARG001
    """Visit the times of a list, which has one more than there are steps and falls from 1 to 0."""
    path = torch.tensor(times, dtype=torch.float64)
    if len(path) != steps + 1:
        raise UsageError(f"time grid 'times' has {len(path)} times, which is not one more than the {steps} steps")
    if path[0] != 1 or path[-1] != 0 or not (path.diff() < 0).all():
        raise UsageError("time grid 'times' needs times that fall from 1 to 0, each smaller than the one before")
    return path


def _between_ends(
    schedule: Schedule,
    steps: int,
    space: Callable[[Tensor, Tensor, Tensor], Tensor],
    finite: tuple[float, float] = (-INFINITY, INFINITY),
) -> Tensor:
    """Place times by their lambda: `space(low, high, u)` gives it for shares u of the way from t = 1 to t = 0."""
    ends = schedule.half_log_snr(torch.tensor([1.0, 0.0], dtype=torch.float64))
    low, high = torch.tensor(finite, dtype=torch.float64).where(ends.isinf(), ends)
    to_data = bool(ends[1].isinf())
    u = torch.linspace(0, 1, steps + 1 - to_data, dtype=torch.float64)
    times = schedule.time(2 * space(low, high, u))
    times[0] = 1
    if to_data:
        return torch.cat([times, times.new_zeros(1)])
    times[-1] = 0
    return times


Grid = Callable[[Schedule, int], Tensor]
"""A grid whose options are set."""

GRIDS: dict[str, Callable[..., Tensor]] = {
    "t": uniform,
    "half-log-snr": half_log_snr,
    "karras": karras,
    "quadratic": quadratic,
    "discrete": discrete,
    "times": explicit,
}


def time_grid(grid: str | Grid, schedule: Schedule, steps: int, **options: Any) -> Tensor:
    """Give the grid of that name and with those options, or of one's own making: (steps + 1,) float64 times.

    Raises
    ------
    UsageError
        When there is no such grid, option or step, or an option is missing.
    """
    if steps < 1:
        raise UsageError(f"a sampler needs at least one step, got {steps}")
    if not isinstance(grid, str):
        return grid(schedule, steps)
    if grid not in GRIDS:
        raise UsageError(unknown("time grid", grid, GRIDS))
    known = dict(list(inspect.signature(GRIDS[grid]).parameters.items())[2:])
    for option in options:
        if option not in known:
            raise UsageError(f"time grid '{grid}': {unknown('option', option, known)}")
    for option, parameter in known.items():
        if option not in options and parameter.default is parameter.empty:
            raise UsageError(f"time grid '{grid}' needs the option '{option}'")
    return GRIDS[grid](schedule, steps, **options)
