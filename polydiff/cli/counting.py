"""Showing how many of a known number of things are done: a bar on a terminal, lines now and then in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from polydiff.cli.progress import PLAIN_INTERVAL


@contextmanager
def counting(total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show on stderr how many of `total` are done; what is given is to be told of those just done."""
    if not sys.stderr.isatty():
        yield _Lines(total, unit).advance
        return
    from rich.console import Console  # noqa: PLC0415 (slow to import)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, rate="")
        start = time.monotonic()

        def advance(more: int) -> None:
            done = bar.tasks[task].completed + more
            bar.update(task, advance=more, rate=f"{done / (time.monotonic() - start):.1f} {unit}/s")

        yield advance


class _Lines:
    """Progress as plain lines on stderr: at most one every few seconds, and one at the end."""

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.unit = total, unit
        self.done = 0
        self.start = self.last = time.monotonic()

    def advance(self, more: int) -> None:
        self.done += more
        now = time.monotonic()
        if self.done < self.total and now - self.last < PLAIN_INTERVAL:
            return
        self.last = now
        rate = self.done / (now - self.start)
        left = round((self.total - self.done) / rate)
        click.echo(f"{self.done}/{self.total} {self.unit}, {rate:.1f}/s, {left} s left", err=True)
