"""Observers of a run: who is told, and what a failing one does."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

import polydiff
from polydiff.plugins.discovery import Candidate
from polydiff.plugins.host import Host
from polydiff.plugins.records import Plugin


def observer(name: str, told: list[tuple[str, int]], fails_at: int | None = None) -> Candidate:
    module = ModuleType(name)

    @polydiff.hookimpl
    def polydiff_step_end(step: int) -> None:
        told.append((name, step))
        if step == fails_at:
            raise ValueError("full")

    @polydiff.hookimpl
    def polydiff_run_end(run: Any, reason: str) -> None:
        told.append((reason, run))

    module.polydiff_step_end = polydiff_step_end
    module.polydiff_run_end = polydiff_run_end
    return Candidate(Plugin(name, f"polydiff-{name}", "1.0"), lambda: module)


def test_every_observer_is_told() -> None:
    told: list[tuple[str, int]] = []
    host = Host([observer("a", told), observer("b", told)])
    host.hook.polydiff_step_end(run=None, step=7, metrics={})
    host.hook.polydiff_checkpoint_saved(run=None, step=7, path=None)
    host.hook.polydiff_run_end(run=5, reason="done")
    assert told == [("a", 7), ("b", 7), ("done", 5), ("done", 5)]


def test_failing_plugin_is_logged_once_and_told_no_more(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, int]] = []
    host = Host([observer("a", told, fails_at=1), observer("b", told)])
    for step in (1, 2):
        host.hook.polydiff_step_end(run=None, step=step, metrics={})
    host.hook.polydiff_run_end(run=5, reason="done")
    assert told == [("a", 1), ("b", 1), ("b", 2), ("done", 5)]
    (message,) = caplog.messages
    assert message == "plugin 'a' (polydiff-a 1.0) fails in polydiff_step_end and is told no more: ValueError: full"


def test_failure_of_this_process_own_observer_goes_through() -> None:
    host = Host()
    host.register(observer("mine", [], fails_at=1).load())
    with pytest.raises(ValueError, match="full"):
        host.hook.polydiff_step_end(run=None, step=1, metrics={})


def test_no_such_observer_hook() -> None:
    with pytest.raises(AttributeError, match="polydiff_step_ends"):
        Host().hook.polydiff_step_ends(run=None)
