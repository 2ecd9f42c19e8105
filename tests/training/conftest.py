"""Runs on the toy modality."""

import importlib
import os
import signal
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).with_name("toy_data.py")

RECIPE = """
modality: toy
codec: squares
backbone: {name: toy-net, width: 8}
conditions: {label: {name: class, width: 8}}
sample: {steps: 2}
data: {source: levels, holdout: 0.25}
train:
  steps: 12
  batch: 8
  optimizer: {lr: 1e-2, warmup: 3, weight_decay: 0.1}
  validation: {every: 4, samples: 16, bands: 4}
  preview: {every: 6, samples: 2}
  checkpoint: {every: 4}
"""


CODEC_RECIPE = """
modality: toy
codec: squares
autoencoder: {name: halves, dropout: 0.1}
objective: {reconstruction: [l2, {name: l1, weight: 0.5}], kl: 1e-3}
data: {source: levels, holdout: 0.25, augment: [shake]}
train:
  steps: 12
  batch: 8
  optimizer: {lr: 1e-2, warmup: 3}
  validation: {every: 4, samples: 6}
  preview: {every: 6, samples: 2}
  checkpoint: {every: 4}
"""


PAIR_RECIPE = """
modality: toy
codec: squares
contrastive:
  encoder: {name: grid, channels: 8, multipliers: [1, 2], places: 2, dropout: 0.1}
  width: 8
conditions: {label: {name: class, width: 8}}
data: {source: {name: levels, classes: 4}, holdout: 0.25, augment: [shake]}
train:
  steps: 12
  batch: 8
  optimizer: {lr: 1e-2, warmup: 3}
  validation: {every: 4, samples: 8}
  preview: {every: 6, samples: 3}
  checkpoint: {every: 4}
"""


@pytest.fixture
def toy_recipe(toy, tmp_path):
    """A recipe file of the toy modality, with the plugin of its data installed."""
    from polydiff.plugins.host import host

    site = tmp_path / "site"
    record = site / "polydiff_toy_data-1.0.dist-info"
    record.mkdir()
    (site / DATA.name).write_bytes(DATA.read_bytes())
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: polydiff-toy-data\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[polydiff]\ntoy-data = toy_data\n")
    host.cache_clear()
    importlib.invalidate_caches()
    path = tmp_path / "toy.yaml"
    path.write_text(RECIPE)
    yield path
    sys.modules.pop(DATA.stem, None)


@pytest.fixture
def parts_of(toy_recipe):
    """Assemble the toy recipe, with overrides."""
    from polydiff.recipe.load import load_recipe
    from polydiff.training.assemble import assemble

    return lambda *overrides: assemble(load_recipe(toy_recipe, overrides))


@pytest.fixture
def codec_recipe(toy_recipe, tmp_path):
    """A recipe file of a codec of the toy modality."""
    path = tmp_path / "codec.yaml"
    path.write_text(CODEC_RECIPE)
    return path


@pytest.fixture
def codec_parts_of(codec_recipe):
    """Assemble the toy codec's recipe, with overrides."""
    from polydiff.recipe.load import load_recipe
    from polydiff.training.assemble import assemble

    return lambda *overrides: assemble(load_recipe(codec_recipe, overrides))


@pytest.fixture
def train_toy(parts_of, tmp_path):
    """Train the toy recipe in a folder, stopped by Ctrl-C after `stop_at` steps where one is given."""
    return _training(parts_of, tmp_path)


@pytest.fixture
def train_codec(codec_parts_of, tmp_path):
    """Train the toy codec's recipe, as `train_toy` does that of the model."""
    return _training(codec_parts_of, tmp_path)


@pytest.fixture
def pair_recipe(toy_recipe, tmp_path):
    """A recipe file of a contrastive pair of the toy modality."""
    path = tmp_path / "pair.yaml"
    path.write_text(PAIR_RECIPE)
    return path


@pytest.fixture
def pair_parts_of(pair_recipe):
    """Assemble the toy pair's recipe, with overrides."""
    from polydiff.recipe.load import load_recipe
    from polydiff.training.assemble import assemble

    return lambda *overrides: assemble(load_recipe(pair_recipe, overrides))


@pytest.fixture
def train_pair(pair_parts_of, tmp_path):
    """Train the toy pair's recipe, as `train_toy` does that of the model."""
    return _training(pair_parts_of, tmp_path)


def _training(parts_of, tmp_path):
    import polydiff
    from polydiff.plugins.host import Host
    from polydiff.training.processes import launch
    from polydiff.training.record import Run
    from polydiff.training.train import train

    class Stopper:
        def __init__(self, stop_at):
            self.stop_at = stop_at

        @polydiff.hookimpl
        def polydiff_step_end(self, run, step, metrics):
            if step == self.stop_at:
                os.kill(os.getpid(), signal.SIGINT)

    def run(name, *overrides, stop_at=None, resume=False, observer=None):
        parts = parts_of(*overrides)
        told = Host()
        told.register(Stopper(stop_at))
        if observer is not None:
            told.register(observer)
        run = Run(tmp_path / name, parts.recipe)
        processes = launch(accelerator="cpu", precision=parts.recipe.train.precision)
        return run, train(parts, run, processes, host=told, resume=resume)

    return run
