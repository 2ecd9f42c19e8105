"""Showing a run: a bar on a terminal, lines now and then in a pipe."""

from __future__ import annotations

import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

import polydiff

if TYPE_CHECKING:
    from polydiff.plugins.hookspecs import Run
    from polydiff.plugins.host import Host

PLAIN_INTERVAL = 10.0
"""Seconds between lines of progress in a pipe."""


@contextmanager
def watching(host: Host, run: Run, *, shown: bool) -> Iterator[None]:
    """Show a run on stderr while inside; only where `shown`."""
    if not shown:
        yield
        return
    display = _Bar(run) if sys.stderr.isatty() else _Lines(run)
    with display.open(), host.observing(display, "progress"):
        yield


class _Display(ABC):
    """An observer of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.start: tuple[float, float] | None = None

    def open(self) -> AbstractContextManager[object]:
        """Show it from here to the end."""
        return nullcontext()

    @abstractmethod
    def show(self, step: int, fraction: float, loss: float, rate: float) -> None:
        """Show how far it is."""

    @abstractmethod
    def say(self, line: str) -> None:
        """Write a line that stays."""

    @polydiff.hookimpl
    def polydiff_step_end(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Show the step."""
        minutes = run.recipe.train.max_minutes
        fraction = max(step / run.steps, metrics["seconds"] / (60 * minutes) if minutes else 0.0)
        self.start = self.start or (time.monotonic(), fraction)
        self.show(step, min(fraction, 1.0), metrics.get("loss", math.nan), metrics["samples_per_s"])

    @polydiff.hookimpl
    def polydiff_validation_end(self, run: Run, step: int, report: Any) -> None:
        """Show the validation."""
        self.say(f"step {step}: validation loss {report.total.loss:.4f} ± {report.total.ci:.4f}")


class _Bar(_Display):
    """A live bar."""

    def __init__(self, run: Run) -> None:
        from rich.console import Console  # noqa: PLC0415 (slow to import)
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        super().__init__(run)
        columns = (BarColumn(), TextColumn("{task.fields[state]}"), TimeRemainingColumn(compact=True))
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=1.0, state="")

    def open(self) -> AbstractContextManager[object]:
        return self.bar

    def show(self, step: int, fraction: float, loss: float, rate: float) -> None:
        state = f"step {step}/{self.run.steps}  loss {loss:.4f}  {rate:.0f} samples/s"
        self.bar.update(self.task, completed=fraction, state=state)

    def say(self, line: str) -> None:
        self.bar.console.print(line, highlight=False)


class _Lines(_Display):
    """At most a line every few seconds."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.last = time.monotonic()

    def show(self, step: int, fraction: float, loss: float, rate: float) -> None:
        assert self.start is not None
        now = time.monotonic()
        if now - self.last < PLAIN_INTERVAL or fraction == self.start[1]:
            return
        self.last = now
        began, first = self.start
        left = (1 - fraction) * (now - began) / (fraction - first)
        self.say(f"step {step}/{self.run.steps}: loss {loss:.4f}, {rate:.0f} samples/s, {left:.0f} s left")

    def say(self, line: str) -> None:
        click.echo(line, err=True)
