"""Telling plugins of a run, without letting a failing one stop it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial

import pluggy

from polydiff.plugins.hookspecs import OBSERVERS
from polydiff.plugins.records import Plugin, in_one_line


class Observers:
    """Calls an observer hook on every plugin that has it: `observers.polydiff_preview(run=..., ...)`.

    An installed plugin that raises is logged and told nothing more; what an observer of this process raises
    is the caller's own and goes through.
    """

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[tuple[Plugin, pluggy.HookCaller]]] = defaultdict(list)

    def add(self, plugin: Plugin, hook: pluggy.HookRelay) -> None:
        """Tell a plugin from now on."""
        for name in OBSERVERS:
            caller: pluggy.HookCaller = getattr(hook, name)
            if caller.get_hookimpls():
                self._listeners[name].append((plugin, caller))

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in OBSERVERS:
            raise AttributeError(name)
        return partial(self._tell, name)

    def _tell(self, name: str, **facts: object) -> None:
        for plugin, caller in tuple(self._listeners[name]):
            try:
                caller(**facts)
            except Exception as error:
                if not plugin.distribution:
                    raise
                self.forget(plugin)
                _log(f"{plugin} fails in {name} and is told no more: {in_one_line(error)}")

    def forget(self, plugin: Plugin) -> None:
        """Tell a plugin no more."""
        for name, listeners in self._listeners.items():
            self._listeners[name] = [each for each in listeners if each[0] is not plugin]


def _log(message: str) -> None:
    import logging  # noqa: PLC0415 - not on the way to `polydiff --help`

    logging.getLogger(__name__).error(message)
