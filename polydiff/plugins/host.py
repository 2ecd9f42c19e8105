"""The plugin host: every registered name, and the object behind it."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from pluggy import HookRelay

from polydiff.errors import PluginError, PolydiffError, UsageError, unknown
from polydiff.plugins import discovery
from polydiff.plugins.admission import admit
from polydiff.plugins.discovery import OFF_VARIABLE, Candidate
from polydiff.plugins.observers import Observers
from polydiff.plugins.records import SCOPED, Clash, Key, Plugin, PluginRecord, Registered, in_one_line, title
from polydiff.plugins.specs import AnySpec, ModalitySpec, PresetSpec

S = TypeVar("S", bound=AnySpec)


@functools.cache
def host() -> Host:
    """Give the host of this process, with everything that is installed."""
    return Host(discovery.installed(), discovery.blocked())


class Host:
    """What plugins register, looked up by kind and name.

    Parameters
    ----------
    candidates
        The installed plugins; of a broken one nothing but its record is kept.
    blocked
        Names of plugins that are not imported.

    Attributes
    ----------
    hook
        Tells all plugins of a run: `host.hook.polydiff_step_end(run=run, step=1, metrics={})`.
    """

    def __init__(self, candidates: Iterable[Candidate] = (), blocked: Collection[str] = ()) -> None:
        self._records: list[PluginRecord] = []
        self._index: defaultdict[Key, list[Registered]] = defaultdict(list)
        self.hook = Observers()
        self._admit(discovery.engine())
        for candidate in candidates:
            if candidate.plugin.name in blocked:
                self._records.append(PluginRecord(candidate.plugin, "blocked", f"{OFF_VARIABLE} blocks it"))
            else:
                self._admit(candidate)
        self._report_missing(blocked)

    @property
    def plugins(self) -> Sequence[PluginRecord]:
        """Every installed plugin, whatever its state, after the engine's own record."""
        return tuple(self._records)

    @property
    def clashes(self) -> Sequence[Clash]:
        """The names that several plugins register."""
        return [
            Clash(key, tuple(each.plugin for each in entries))
            for key, entries in self._index.items()
            if len(entries) > 1
        ]

    def register(self, observer: object, name: str = "this process") -> None:
        """Add an object with `@polydiff.hookimpl` methods to this process; it is not listed among `plugins`.

        Raises
        ------
        PluginError
            For a misspelled hook, a hook that fails, or a record that is no spec; nothing is registered then.
        """
        self._add(*self._admitted(observer, name))

    @contextmanager
    def observing(self, observer: object, name: str) -> Iterator[None]:
        """Tell an object with `@polydiff.hookimpl` methods of runs, while inside; raises as `register` does."""
        record, hook = self._admitted(observer, name)
        self.hook.add(record.plugin, hook)
        try:
            yield
        finally:
            self.hook.forget(record.plugin)

    def all(self, kind: type[S], modality: str | None = None) -> list[Registered]:
        """List everything of a kind, in the order of registration; of one modality, where one is given."""
        return [
            entry
            for key, entries in self._index.items()
            for entry in entries
            if key[0] is kind and modality in (None, entry.modality)
        ]

    def find(self, kind: type[S], name: str, modality: str | None = None) -> S:
        """Look a name up.

        Parameters
        ----------
        modality
            Needed for the kinds whose names are unique within a modality: codecs, sources, augmentations and
            file kinds, of which it also finds those that all modalities have. Others ignore it.

        Raises
        ------
        UsageError
            When nothing has that name; the message gives the nearest.
        PluginError
            When several plugins register it, or one that is broken or blocked does; or for a modality that
            is not installed.
        """
        if kind in SCOPED:
            assert modality is not None, f"a {kind.kind} is looked up within a modality"
            self.modality(modality)
        key: Key = (cast(type[AnySpec], kind), (modality or "") if kind in SCOPED else "", name)
        entries = [
            entry for scope in dict.fromkeys((key[1], "")) for entry in self._index.get((key[0], scope, name), [])
        ]
        if not entries:
            raise self._absent(key)
        if len(entries) > 1:
            clash = Clash(key, tuple(entry.plugin for entry in entries))
            raise PluginError(f"{clash}; block one of them with {OFF_VARIABLE}")
        return cast(S, entries[0].spec)

    def modality(self, name: str) -> ModalitySpec:
        """Look a modality up; raises as `find` does."""
        return self.find(ModalitySpec, name)

    def load(self, spec: AnySpec, attribute: str = "target") -> Any:
        """Import the object behind a spec.

        Parameters
        ----------
        attribute
            Which of the spec's targets: a `ModalitySpec` has "preview" and "trajectory".

        Raises
        ------
        PluginError
            When it cannot be imported; the message names the plugin.
        """
        target: str = getattr(spec, attribute)
        module, _, path = target.partition(":")
        try:
            return functools.reduce(getattr, path.split("."), importlib.import_module(module))
        except Exception as error:
            raise self._unusable(spec, f"'{target}' cannot be imported: {in_one_line(error)}") from error

    def preset(self, name: str) -> Path:
        """Give the recipe file of a preset; raises as `find` does, and `PluginError` without a file."""
        spec = self.find(PresetSpec, name)
        package, _, path = spec.target.partition(":")
        found = importlib.util.find_spec(package)
        for folder in (found and found.submodule_search_locations) or ():
            file = Path(folder, path)
            if file.is_file():
                return file
        raise self._unusable(spec, f"there is no file '{path}' in the package '{package}'")

    def _admit(self, candidate: Candidate) -> None:
        record, hook = admit(candidate)
        self._records.append(record)
        if record.status == "ok":
            self._add(record, hook)

    def _add(self, record: PluginRecord, hook: HookRelay) -> None:
        for entry in record.registered:
            self._index[entry.key].append(entry)
        self.hook.add(record.plugin, hook)

    def _admitted(self, observer: object, name: str) -> tuple[PluginRecord, HookRelay]:
        record, hook = admit(Candidate(Plugin(name), lambda: observer))
        if record.status == "broken":
            raise PluginError(f"{record.plugin}: {record.error}")
        return record, hook

    def _report_missing(self, blocked: Collection[str]) -> None:
        known = {record.plugin.name for record in self._records[1:]}
        for name in blocked:
            if name not in known:
                error = f"{OFF_VARIABLE} names an {unknown('plugin', name, known)}"
                self._records.append(PluginRecord(Plugin(name), "missing", error))

    def _absent(self, key: Key) -> PolydiffError:
        kind, modality, name = key
        for record in self._records:
            plugin, error = record.plugin, record.error
            if record.status == "broken" and any(entry.key == key for entry in record.registered):
                return PluginError(f"{title(key)} belongs to {plugin}, which is broken: {error}")
            if record.status == "blocked" and plugin.name == name:
                return PluginError(f"{title(key)} may belong to {plugin}, but {error}")
        choices = [each for (other, scope, each) in self._index if other is kind and scope in {modality, ""}]
        message = unknown(f"{modality} {kind.kind}".lstrip(), name, choices)
        unloaded = [f"{r.plugin} is {r.status}" for r in self._records if r.status in {"broken", "blocked"}]
        if unloaded:
            message += f" ({', '.join(unloaded)}; see `polydiff plugins`)"
        engine = self._records[0].registered
        of_plugins_alone = not any(type(entry.spec) is kind for entry in engine)
        return PluginError(message) if kind is ModalitySpec or (unloaded and of_plugins_alone) else UsageError(message)

    def _unusable(self, spec: AnySpec, reason: str) -> PluginError:
        entries = (entry for record in self._records for entry in record.registered)
        owner = next((f" of {entry.plugin}" for entry in entries if entry.spec is spec), "")
        return PluginError(f"{spec.kind} '{spec.name}'{owner}: {reason}")
