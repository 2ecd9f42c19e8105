"""What schedules are held to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from polydiff.core.schedule import Schedule
from polydiff.verification.report import Check, at_most, guarded

EXACT = 1e-9
"""What rounding leaves of an identity, at most."""


def claims(schedule: Schedule) -> str:
    """Say which family a schedule keeps to, and what log-SNR there is at both ends."""
    alpha, sigma = schedule(_times())
    families = {
        "variance preserving": alpha**2 + sigma**2,
        "variance exploding": alpha,
        "flow (alpha + sigma = 1)": alpha + sigma,
    }
    kept = [name for name, one in families.items() if (one - 1).abs().max() <= EXACT]
    ends = schedule.log_snr(_ends()).tolist()
    return f"{kept[0] if kept else 'of no known family'}, log-SNR {ends[0]:.3g} to {ends[1]:.3g}"


def checks(schedule: Schedule) -> Iterator[Check]:
    """Hold a schedule to what every schedule is held to."""
    for claim, measure in {
        "inverse": _inverse,
        "monotonic": _monotonic,
        "limits": _limits,
        "consistent": _consistent,
        "types": _types,
    }.items():
        yield from guarded(claim, partial(measure, schedule))


def _times() -> Tensor:
    """Give times that are close together at both ends, where schedules lose digits."""
    near = torch.logspace(-6, -2, 41, dtype=torch.float64)
    return torch.cat([near, torch.linspace(0.01, 0.99, 981, dtype=torch.float64)[1:-1], 1 - near.flip(0)])


def _ends() -> Tensor:
    return torch.tensor([0.0, 1.0], dtype=torch.float64)


def _inverse(schedule: Schedule) -> Iterator[Check]:
    t = torch.cat([_ends(), _times()])
    error = (schedule.time(schedule.log_snr(t)) - t).abs()
    worst = float(t[error.nan_to_num(torch.inf).argmax()])
    yield at_most("inverse", error.nan_to_num(torch.inf).max().item(), EXACT, f"at t = {worst:.4g}, time is off by")


def _monotonic(schedule: Schedule) -> Iterator[Check]:
    t = torch.cat([_ends()[:1], _times(), _ends()[1:]])
    log_snr = schedule.log_snr(t)
    falls = log_snr[1:] < log_snr[:-1]
    if falls.all():
        yield Check("monotonic", True, "log-SNR falls all the way")
    else:
        index = int((~falls).nonzero()[0, 0])
        yield Check("monotonic", False, f"log-SNR does not fall from t = {t[index]:.6g} to {t[index + 1]:.6g}")


def _limits(schedule: Schedule) -> Iterator[Check]:
    t = torch.cat([_ends(), _times()])
    alpha, sigma = schedule(t)
    sound = alpha.isfinite() & sigma.isfinite() & (alpha >= 0) & (sigma >= 0) & (alpha + sigma > 0)
    if sound.all():
        (a_0, a_1), (s_0, s_1) = alpha[:2].tolist(), sigma[:2].tolist()
        message = f"alpha {a_0:.4g} to {a_1:.4g}, sigma {s_0:.4g} to {s_1:.4g}"
    else:
        index = int((~sound).nonzero()[0, 0])
        message = f"at t = {t[index]:.6g}, alpha is {alpha[index]:.4g} and sigma {sigma[index]:.4g}"
    yield Check("limits", bool(sound.all()), message)


def _consistent(schedule: Schedule) -> Iterator[Check]:
    t = _times()
    log_snr = schedule.log_snr(t)
    alpha, sigma = schedule(t)
    error = (2 * (alpha.log() - sigma.log()) - log_snr).abs().nan_to_num(torch.inf).max().item()
    yield at_most("consistent", error, EXACT, "log(alpha² / sigma²) differs from log-SNR by")
    error = (schedule.half_log_snr(t) - log_snr / 2).abs().nan_to_num(torch.inf).max().item()
    yield at_most("consistent", error, EXACT, "half_log_snr differs from half of log-SNR by")


def _types(schedule: Schedule) -> Iterator[Check]:
    for shape, dtype in (((), torch.float64), ((3,), torch.float64), ((2, 3), torch.float32)):
        t = torch.full(shape, 0.4, dtype=dtype)
        log_snr = schedule.log_snr(t)
        given = {
            "log_snr": log_snr,
            "time": schedule.time(log_snr),
            "alpha": schedule(t)[0],
            "sigma": schedule(t)[1],
        }
        for name, x in given.items():
            if x.shape != t.shape or x.dtype != t.dtype:
                yield Check("types", False, f"{_type(t)} becomes {_type(x)} in {name}")
                return
    yield Check("types", True, "shape and precision are kept")


def _type(x: Tensor) -> str:
    return f"{x.dtype} {tuple(x.shape)}".removeprefix("torch.")
