"""Data for the toy modality: squares around the number of their label, some of which cannot be read."""

import os
import signal

import numpy as np

import polydiff
from polydiff.data.example import Example
from polydiff.errors import DataError
from polydiff.plugins.specs import SourceSpec


@polydiff.hookimpl
def polydiff_sources():
    yield SourceSpec("levels", "toy_data:Levels", modality="toy")


@polydiff.hookimpl
def polydiff_step_end(run, step, metrics):
    """Press Ctrl-C after a step, where the environment says so."""
    if step == int(os.environ.get("TOY_STOP_AT", "-1")):
        os.kill(os.getpid(), signal.SIGINT)


class Levels:
    unreadable = ()

    def __init__(self, *, count: int = 40, classes: int = 2, broken: list[int] = (), bad: list[int] = ()) -> None:
        self.count, self.broken, self.bad = count, broken, bad
        self.classes = [str(i) for i in range(classes)]

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.broken:
            raise DataError(f"{self.name(index)}: cannot be read")
        label = index % len(self.classes)
        content = np.random.default_rng(index).normal(label, 0.1, (4, 4)).astype(np.float32)
        if index in self.bad:
            content[0, 0] = np.nan
        return Example(content, self.name(index), label=str(label), attributes={"level": float(label)})

    def name(self, index):
        return f"item-{index}"

    def label(self, index):
        return str(index % len(self.classes))
