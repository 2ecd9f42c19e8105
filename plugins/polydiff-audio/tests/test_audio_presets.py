"""The recipes that come with the plugin, each built whole and trained for two steps."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from polydiff.plugins.host import Host
from polydiff.testing.small_run import build_parts
from polydiff.training.processes import launch
from polydiff.training.record import Run
from polydiff.training.train import train

PRESETS = Path(__file__).parents[1] / "polydiff_audio" / "presets"

BRIEFLY = [
    "train.steps=2",
    "train.batch=2",
    "train.validation.samples=16",
    "train.preview.samples=2",
    "sample.steps=2",
    "data.workers=0",
]


@pytest.fixture
def recordings(tmp_path):
    """Two labels of three recordings, of other rates and lengths than the preset's."""
    rng = np.random.default_rng(0)
    for label in ("rain", "wind"):
        for i in range(3):
            path = tmp_path / "recordings" / label / f"{i}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, rng.normal(0, 0.1, (30_000 + 9_000 * i, 2)), 22_050)
    return tmp_path / "recordings"


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [
        ("synth-notes", (7e6, 1.1e7)),
        ("notes-text", (7e6, 1.1e7)),
        ("speech-digits", (6e6, 9e6)),
        ("folder-16k", (7e6, 9e6)),
    ],
)
def test_a_preset_trains(preset, parameters, recordings, tmp_path):
    overrides = list(BRIEFLY)
    if preset == "folder-16k":
        overrides += [f"data.source.path={recordings}", f"data.source.cache={tmp_path / 'cache'}", "data.holdout=0.3"]
    else:
        overrides += ["data.source.count=60"]
    if preset == "speech-digits" and shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    parts = build_parts(preset, overrides)
    low, high = parameters
    assert low < sum(weight.numel() for weight in parts.model.backbone.parameters()) < high
    run = Run(tmp_path / "run", parts.recipe)
    outcome = train(parts, run, launch(accelerator="cpu", precision="32-true"), host=Host())
    assert outcome.reason == "finished"
    assert math.isfinite(outcome.progress.figures["loss"])
    assert (run.folder / "model" / "model.yaml").is_file()


def test_every_preset_is_tested():
    assert {path.stem for path in PRESETS.iterdir()} == {"synth-notes", "notes-text", "speech-digits", "folder-16k"}
