"""Registered names, built and held to what they claim."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from polydiff.core.denoiser import Denoiser
from polydiff.errors import PluginError, PolydiffError, UsageError, unknown
from polydiff.plugins.factory import make
from polydiff.plugins.host import Host
from polydiff.plugins.records import Registered, in_one_line
from polydiff.plugins.specs import GuidanceSpec, SamplerSpec, ScheduleSpec
from polydiff.verification import guidances, samplers, schedules
from polydiff.verification.accuracy import accuracy
from polydiff.verification.report import Accuracy, Check, Verdict

KINDS = (ScheduleSpec, SamplerSpec, GuidanceSpec)
"""What can be verified."""


def chosen(host: Host, names: Sequence[str] = ()) -> list[Registered]:
    """List what has one of these names, or everything that can be verified.

    Raises
    ------
    UsageError
        When nothing has a name; the message gives the nearest.
    PluginError
        When it belongs to a plugin that is broken or blocked.
    """
    entries = [entry for kind in KINDS for entry in host.all(kind)]
    for name in names:
        if not any(entry.spec.name == name for entry in entries):
            raise _absent(host, name, {entry.spec.name for entry in entries})
    return [entry for entry in entries if not names or entry.spec.name in names]


def verify(host: Host, entry: Registered) -> Verdict:
    """Measure what a name stands for and hold it to what it claims; whatever it raises is in the verdict."""
    spec = entry.spec
    said = ""
    errors: tuple[Accuracy, ...] = ()
    try:
        match spec:
            case ScheduleSpec():
                schedule = host.load(spec, "example")() if spec.example else make(host, spec, (), {})
                said, checks = schedules.claims(schedule), tuple(schedules.checks(schedule))
            case SamplerSpec():
                method = make(host, spec, (), {})
                said, checks = samplers.claims(spec), tuple(samplers.checks(method, spec))
                errors = tuple(accuracy(method, spec))
            case GuidanceSpec():
                guide = partial(_guide, host, spec)
                said, checks = guidances.claims(spec), tuple(guidances.checks(guide, spec))
    except Exception as error:
        checks = (Check("built", False, f"raises {in_one_line(error)}"),)
    return Verdict(spec.kind, spec.name, entry.plugin, said, checks, errors)


def _guide(host: Host, spec: GuidanceSpec, denoiser: Denoiser, **options: Any) -> Denoiser:
    guided: Denoiser = make(host, spec, (denoiser,), options)
    return guided


def _absent(host: Host, name: str, choices: Collection[str]) -> PolydiffError:
    for kind in KINDS:
        try:
            host.find(kind, name)
        except PluginError as error:
            return error
        except UsageError:
            continue
    return UsageError(unknown("schedule, sampler or guidance", name, choices))
