"""Schedules, samplers and guidances by registered name: the Python API's first calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from polydiff.errors import UsageError, unknown
from polydiff.plugins.host import Host, host
from polydiff.plugins.specs import GuidanceSpec, SamplerSpec, ScheduleSpec, Spec

if TYPE_CHECKING:
    from torch import Tensor

    from polydiff.core.condition import Condition
    from polydiff.core.denoiser import Denoiser
    from polydiff.core.schedule import Schedule
    from polydiff.sampling.grid import Grid
    from polydiff.sampling.sampler import Sampler


def schedule(name: str, **options: Any) -> Schedule:
    """Make a schedule: `schedule("cosine", s=0.008)`.

    Raises
    ------
    UsageError
        For an unknown name or option; the message gives the nearest.
    """
    result: Schedule = make(host(), host().find(ScheduleSpec, name), (), options)
    return result


def sampler(name: str, **options: Any) -> Sampler:
    """Make a sampler: `sampler("ddim", eta=0.5)`; raises as `schedule` does."""
    result: Sampler = make(host(), host().find(SamplerSpec, name), (), options)
    return result


def guidance(name: str, denoiser: Denoiser, **options: Any) -> Denoiser:
    """Guide a denoiser: `guidance("cfg", denoiser, scale=3.0)`; raises as `schedule` does."""
    result: Denoiser = make(host(), host().find(GuidanceSpec, name), (denoiser,), options)
    return result


def invert(
    denoiser: Denoiser,
    x_0: Tensor,
    *,
    sampler: str | Sampler = "dpm++2m",
    steps: int | None = None,
    times: Tensor | Sequence[float] | None = None,
    cond: Condition | None = None,
    grid: str | Grid = "half-log-snr",
) -> Tensor:
    """Find the noise that a deterministic sampler makes data of: its walk along the probability flow, backwards.

    Sampling from it with the same condition and steps gives the data again, up to an error that falls at the sampler's
    order. With `ddim` it is DDIM's inversion (Song, Meng & Ermon 2021, https://arxiv.org/abs/2010.02502, eq. 14).

    The sampler runs as it is on the flow with data and noise exchanged, so every deterministic one will do, and none
    needs a formula of its own. Where there is no noise at t = 0, the noise to begin with is taken for zero, which is
    its limit for data that have a density; at both ends of infinite half-log-SNR a step is of first order, as in
    sampling, and what these two leave (2e-4, about, of unit data on the grid `half-log-snr`) does not fall with the
    number of steps.

    Parameters
    ----------
    x_0
        (B, *), the state at the first time.
    sampler
        A name, or one that is made already: `polydiff.sampler("unipc", order=3)`.
    steps
        How many, on the `grid` backwards; or
    times
        an explicit increasing grid, from the time of `x_0` to that of the result.

    Returns
    -------
    Tensor
        (B, *), the state at the last time, 1 unless `times` say otherwise.

    Raises
    ------
    UsageError
        When the sampler is stochastic, not exactly one of `steps` and `times` is given, or `times` do not increase.
    """
    from polydiff.sampling.invert import invert_with  # noqa: PLC0415 (imports torch)

    method = _deterministic(sampler) if isinstance(sampler, str) else sampler
    return invert_with(method, denoiser, x_0, steps=steps, times=times, cond=cond, grid=grid)


def _deterministic(name: str) -> Sampler:
    spec = host().find(SamplerSpec, name)
    if spec.stochastic:
        specs = (entry.spec for entry in host().all(SamplerSpec))
        fit = [each.name for each in specs if isinstance(each, SamplerSpec) and not each.stochastic]
        raise UsageError(f"inversion needs a deterministic sampler; '{name}' is not, {', '.join(fit)} are")
    result: Sampler = make(host(), spec, (), {})
    return result


def make(host: Host, spec: Spec, given: tuple[object, ...], options: Mapping[str, Any]) -> Any:
    """Make what a spec stands for: its target, called with what is given and the options.

    Raises
    ------
    UsageError
        For an unknown option, or one that is missing.
    PluginError
        When the target cannot be imported.
    """
    target: Callable[..., Any] = host.load(spec)
    signature = inspect.signature(target)
    parameters = list(signature.parameters.values())[len(given) :]
    names = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    if len(names) == len(parameters):
        for option in options:
            if option not in names:
                raise UsageError(f"{spec.kind} '{spec.name}': {unknown('option', option, names)}")
    for parameter in parameters:
        if parameter.name not in options and parameter.default is parameter.empty and parameter.name in names:
            raise UsageError(f"{spec.kind} '{spec.name}' needs the option '{parameter.name}'")
    return target(*given, **options)
