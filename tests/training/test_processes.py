"""How many processes there are."""

import pytest

from polydiff.errors import UsageError
from polydiff.training.processes import _started_by_torchrun, launch


def test_devices_are_those_asked_for(monkeypatch):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert _started_by_torchrun(3) == (3, 1)


def test_torchrun_says_how_many_there_are_here_and_on_how_many_machines(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "6")
    assert _started_by_torchrun(1) == (2, 3)
    assert _started_by_torchrun(2) == (2, 3)


def test_devices_that_torchrun_has_not_started_are_refused(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="torchrun has started 2 processes here; leave --devices 3 away"):
        launch(accelerator="cpu", devices=3, precision="32-true")
