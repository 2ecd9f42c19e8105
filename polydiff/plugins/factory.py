"""Schedules, samplers and guidances by registered name: the Python API's first calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from polydiff.errors import UsageError, unknown
from polydiff.plugins.host import Host, host
from polydiff.plugins.specs import GuidanceSpec, SamplerSpec, ScheduleSpec, Spec

if TYPE_CHECKING:
    from polydiff.core.denoiser import Denoiser
    from polydiff.core.schedule import Schedule
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
