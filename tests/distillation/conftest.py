"""A trained toy model, of a modality that the engine has never heard of."""

import os
import signal
from contextlib import nullcontext

import pytest

RECIPE = """
modality: toy
codec: squares
backbone: {name: toy-net, width: 8}
conditions: {label: {name: class, width: 8}}
prediction: v
sample: {sampler: ddim, steps: 8, grid: t, guidance: [{name: cfg, scale: 1.5, interval: [0.0, 0.6]}]}
data: {source: ramps, holdout: 0.4}
train:
  steps: 20
  batch: 8
  optimizer: {lr: 1e-2, warmup: 3}
  validation: {every: 20, samples: 16, bands: 4}
  preview: {every: 20, samples: 2}
  checkpoint: {every: 20}
"""


@pytest.fixture
def train_run(toy, tmp_path):
    """Train a run of the toy recipe, with overrides, in a folder; give the folder."""
    from polydiff.plugins.host import Host
    from polydiff.recipe.load import load_recipe
    from polydiff.training.assemble import assemble
    from polydiff.training.processes import launch
    from polydiff.training.record import Run
    from polydiff.training.train import train

    path = tmp_path / "toy.yaml"
    path.write_text(RECIPE)

    def run(name, *overrides):
        parts = assemble(load_recipe(path, overrides))
        processes = launch(accelerator="cpu", precision="32-true")
        train(parts, Run(tmp_path / name, parts.recipe), processes, host=Host())
        return tmp_path / name

    return run


@pytest.fixture
def teacher(train_run):
    """The folder of a trained run."""
    return train_run("teacher")


@pytest.fixture
def climb(tmp_path):
    """Climb a ladder in a folder, as far as `stop_at` optimiser steps of all rungs together; give it and its end."""
    import polydiff
    from polydiff.distillation.ladder import Ladder
    from polydiff.distillation.plan import plan
    from polydiff.distillation.receipt import FILE, Receipt, read
    from polydiff.distillation.request import Request
    from polydiff.plugins.host import Host
    from polydiff.training.processes import launch

    class Stopper:
        def __init__(self, stop_at):
            self.left = stop_at

        @polydiff.hookimpl
        def polydiff_step_end(self, run, step, metrics):
            if self.left is not None:
                self.left -= 1
                if self.left == 0:
                    os.kill(os.getpid(), signal.SIGINT)

    def run(name, stop_at=None, **request):
        folder = tmp_path / name
        receipt = read(folder) if (folder / FILE).exists() else Receipt(Request(**request))
        host = Host()
        host.register(Stopper(stop_at))
        processes = launch(accelerator="cpu", precision="32-true")
        ladder = Ladder(plan(receipt.request), folder, receipt, processes, host, lambda _: nullcontext())
        return ladder, ladder()

    return run
