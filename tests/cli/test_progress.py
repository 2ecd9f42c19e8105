"""Showing a run."""

from types import SimpleNamespace

import pytest

from polydiff.cli import progress
from polydiff.plugins.host import Host


def run_of(steps=100, max_minutes=None):
    return SimpleNamespace(steps=steps, recipe=SimpleNamespace(train=SimpleNamespace(max_minutes=max_minutes)))


def step(host, run, number, *, seconds=1.0):
    metrics = {"loss": 0.25, "samples_per_s": 128.0, "seconds": seconds}
    host.hook.polydiff_step_end(run=run, step=number, metrics=metrics)


def report(loss, ci):
    return SimpleNamespace(total=SimpleNamespace(loss=loss, ci=ci))


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


def test_a_pipe_gets_a_line_now_and_then_and_each_validation(clock, capsys):
    host, run = Host(), run_of()
    with progress.watching(host, run, shown=True):
        for number in range(1, 26):
            clock.seconds += 1.0
            step(host, run, number)
        host.hook.polydiff_validation_end(run=run, step=25, report=report(0.5, 0.01))
    assert capsys.readouterr().err.splitlines() == [
        "step 10/100: loss 0.2500, 128 samples/s, 90 s left",
        "step 20/100: loss 0.2500, 128 samples/s, 80 s left",
        "step 25: validation loss 0.5000 ± 0.0100",
    ]


def test_time_limit_that_comes_first_tells_the_time_left(clock, capsys):
    host, run = Host(), run_of(steps=1_000_000, max_minutes=1.0)
    with progress.watching(host, run, shown=True):
        for number in range(1, 16):
            clock.seconds += 1.0
            step(host, run, number, seconds=clock.seconds)
    assert capsys.readouterr().err == "step 10/1000000: loss 0.2500, 128 samples/s, 50 s left\n"


def test_a_first_step_that_takes_long_tells_no_time_left(clock, capsys):
    host, run = Host(), run_of()
    with progress.watching(host, run, shown=True):
        clock.seconds += 11.0
        step(host, run, 1)
        clock.seconds += 11.0
        step(host, run, 2)
    assert capsys.readouterr().err == "step 2/100: loss 0.2500, 128 samples/s, 1078 s left\n"


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    host, run = Host(), run_of()
    with progress.watching(host, run, shown=True):
        step(host, run, 50)
        host.hook.polydiff_validation_end(run=run, step=50, report=report(0.5, 0.01))
    shown = capsys.readouterr().err
    assert "step 50/100  loss 0.2500  128 samples/s" in shown
    assert "step 50: validation loss 0.5000 ± 0.0100" in shown


def test_nothing_is_shown_afterwards_nor_where_another_process_shows(clock, capsys):
    host, run = Host(), run_of()
    with progress.watching(host, run, shown=True):
        pass
    host.hook.polydiff_validation_end(run=run, step=1, report=report(0.5, 0.01))
    with progress.watching(host, run, shown=False):
        host.hook.polydiff_validation_end(run=run, step=1, report=report(0.5, 0.01))
    assert capsys.readouterr().err == ""
