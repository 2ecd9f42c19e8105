"""Questions to one plugin; whatever goes wrong stays in its record."""

from __future__ import annotations

import dataclasses
import inspect
import string
from collections import Counter
from collections.abc import Iterator
from types import MappingProxyType

import pluggy

from polydiff.errors import unknown
from polydiff.plugins import hookspecs, specs
from polydiff.plugins.discovery import Candidate
from polydiff.plugins.records import Plugin, PluginRecord, Registered, in_one_line

_HOOKS = (*hookspecs.REGISTRATIONS, *hookspecs.OBSERVERS)
_UNFIT = frozenset(string.whitespace + "/,'\"")
_PARTS = MappingProxyType(
    {
        "codecs": specs.CodecSpec,
        "backbones": specs.BackboneSpec,
        "autoencoders": specs.AutoencoderSpec,
        "sources": specs.SourceSpec,
        "files": specs.FileKindSpec,
        "augmentations": specs.AugmentationSpec,
        "presets": specs.PresetSpec,
        "metrics": specs.MetricSpec,
    }
)


class _RefusedError(Exception):
    """A hook gave something that cannot be registered."""


def admit(candidate: Candidate) -> tuple[PluginRecord, pluggy.HookRelay]:
    """Import a plugin and ask it what it registers.

    Returns
    -------
    record
        "ok" or "broken".
    hook
        Calls this plugin's hooks alone; empty for a broken one.
    """
    # One manager a plugin: nothing that a broken one does reaches the others, and nothing is half registered.
    manager = _manager()
    try:
        module = candidate.load()
    except (Exception, SystemExit) as error:
        return _broken(candidate.plugin, [f"cannot be imported: {in_one_line(error)}"])
    api = getattr(module, "POLYDIFF_API", specs.API_VERSION)
    if api != specs.API_VERSION:
        return _broken(candidate.plugin, [f"written for plugin API {api}; this is {specs.API_VERSION}"])
    faults = list(_misspelled(manager, module))
    try:
        manager.register(module)
    except pluggy.PluginValidationError as error:
        return _broken(candidate.plugin, [*faults, in_one_line(error)])
    registered = tuple(_ask(manager.hook, candidate.plugin, faults))
    faults += _repeated(registered)
    if faults:
        return _broken(candidate.plugin, faults, registered)
    return PluginRecord(candidate.plugin, "ok", registered=registered), manager.hook


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("polydiff")
    manager.add_hookspecs(hookspecs)
    return manager


def _broken(
    plugin: Plugin, faults: list[str], registered: tuple[Registered, ...] = ()
) -> tuple[PluginRecord, pluggy.HookRelay]:
    return PluginRecord(plugin, "broken", "; ".join(faults), registered), _manager().hook


def _misspelled(manager: pluggy.PluginManager, module: object) -> Iterator[str]:
    for attribute in dir(module):
        marks = manager.parse_hookimpl_opts(module, attribute)
        if marks is not None:
            name = marks["specname"] or attribute
            if name not in _HOOKS:
                yield unknown("hook", name, _HOOKS)
        elif attribute.startswith("polydiff_") and inspect.isroutine(getattr(module, attribute)):
            yield f"'{attribute}' is not marked with @polydiff.hookimpl"


def _ask(hook: pluggy.HookRelay, plugin: Plugin, faults: list[str]) -> Iterator[Registered]:
    for name in hookspecs.REGISTRATIONS:
        try:
            yield from _answers(hook, name, plugin)
        except _RefusedError as error:
            faults.append(f"{name}: {error}")
        except (Exception, SystemExit) as error:
            faults.append(f"{name} raises {in_one_line(error)}")


def _answers(hook: pluggy.HookRelay, name: str, plugin: Plugin) -> Iterator[Registered]:
    caller: pluggy.HookCaller = getattr(hook, name)
    kinds = hookspecs.REGISTRATIONS[name]
    answers = caller()
    if len(answers) < len(caller.get_hookimpls()):
        raise _RefusedError("gives None, not an iterable of specs")
    for answer in answers:
        for spec in answer:
            if not isinstance(spec, kinds):
                wanted = " or ".join(kind.__name__ for kind in kinds)
                raise _RefusedError(f"gives {spec!r}, which is no {wanted}")
            if isinstance(spec, specs.ModalitySpec):
                yield from _modality(spec, plugin)
            else:
                yield _checked(spec, plugin, getattr(spec, "modality", ""))


def _modality(modality: specs.ModalitySpec, plugin: Plugin) -> Iterator[Registered]:
    _check_name(modality)
    for attribute in ("preview", "trajectory", "normalize", "fidelity"):
        if attribute in {"preview", "trajectory"} or getattr(modality, attribute):
            _check_target(modality, attribute)
    filled: dict[str, tuple[specs.Spec, ...]] = {}
    for part, kind in _PARTS.items():
        given = getattr(modality, part)
        if not isinstance(given, tuple) or not all(isinstance(spec, kind) for spec in given):
            raise _RefusedError(f"{part} of modality '{modality.name}' must be a tuple of {kind.__name__}")
        filled[part] = given
    for part in ("codecs", "backbones", "sources", "files"):
        if not filled[part]:
            raise _RefusedError(f"modality '{modality.name}' has no {part}")
    own = tuple(dataclasses.replace(source, modality=modality.name) for source in modality.sources)
    metrics = tuple(dataclasses.replace(metric, modality=modality.name) for metric in modality.metrics)
    filled |= {"sources": own, "metrics": metrics}
    yield Registered(dataclasses.replace(modality, sources=own, metrics=metrics), plugin, modality.name)
    for given in filled.values():
        for spec in given:
            yield _checked(spec, plugin, modality.name)


def _checked(spec: specs.Spec, plugin: Plugin, modality: str) -> Registered:
    _check_name(spec)
    _check_target(spec, "target")
    if isinstance(spec, specs.SourceSpec) and not modality:
        raise _RefusedError(f"source '{spec.name}' does not say which modality it is for")
    if isinstance(spec, specs.ScheduleSpec) and spec.example:
        _check_target(spec, "example")
    if isinstance(spec, specs.FileKindSpec):
        if not spec.suffix.startswith("."):
            raise _RefusedError(f"file kind '{spec.name}' needs a suffix with its dot, not '{spec.suffix}'")
        for attribute in ("loss", "facts"):
            if getattr(spec, attribute):
                _check_target(spec, attribute)
    return Registered(spec, plugin, modality)


def _check_name(spec: specs.AnySpec) -> None:
    if not isinstance(spec.name, str) or not spec.name or not _UNFIT.isdisjoint(spec.name):
        raise _RefusedError(f"{spec.name!r} cannot name a {spec.kind}: no spaces, slashes, commas or quotes")


def _check_target(spec: specs.AnySpec, attribute: str) -> None:
    target = getattr(spec, attribute)
    if not isinstance(target, str) or not all(target.partition(":")):
        raise _RefusedError(f"{attribute} of {spec.kind} '{spec.name}' is {target!r}, not 'package:Name'")


def _repeated(registered: tuple[Registered, ...]) -> Iterator[str]:
    for key, times in Counter(entry.key for entry in registered).items():
        if times > 1:
            kind, _, name = key
            yield f"registers {kind.kind} '{name}' {times} times"
