"""The recipes that come with the plugin, each built whole and trained for two steps."""

import math
from pathlib import Path

import numpy as np
import pytest

from polydiff.plugins.host import Host
from polydiff.testing.small_run import build_parts
from polydiff.training.processes import launch
from polydiff.training.record import Run
from polydiff.training.train import train

PRESETS = Path(__file__).parents[1] / "polydiff_pointcloud" / "presets"

BRIEFLY = [
    "train.steps=2",
    "train.batch=2",
    "train.validation.samples=16",
    "train.preview.samples=2",
    "sample.steps=2",
    "data.workers=0",
]
SMALL_SHAPENET = [
    "backbone={name: pv-unet, channels: 32, voxels: [8, 6, 4], blocks: 2, dropout: 0.1}",
    "codec.points=512",
    "data.augment=[{name: subsample, points: 512}]",
]


@pytest.fixture
def shapenet(tmp_path):
    """Two categories in PointFlow's layout."""
    rng = np.random.default_rng(0)
    for synset in ("02691156", "03001627"):
        for split, count in (("train", 3), ("val", 2)):
            folder = tmp_path / "PC15k" / synset / split
            folder.mkdir(parents=True)
            for i in range(count):
                np.save(folder / f"{i:032x}.npy", rng.normal(0, 0.2, (15_000, 3)).astype(np.float32))
    return tmp_path / "PC15k"


def parameters(parts) -> int:
    return sum(weight.numel() for weight in parts.model.backbone.parameters())


@pytest.mark.parametrize(
    ("preset", "size", "smaller"),
    [
        ("furniture", (2e6, 8e6), ["data.source.count=40"]),
        ("furniture-2048", (3e7, 5e7), ["data.source.count=40", "data.holdout=0.1"]),
        ("folder-2048", (3e7, 5e7), ["data.holdout=0.2"]),
        ("shapenet-pc15k", (3e7, 6e7), SMALL_SHAPENET),
    ],
)
def test_a_preset_trains(preset, size, smaller, shapenet, tmp_path):
    where = [] if preset.startswith("furniture") else [f"data.source.path={shapenet}"]
    where += [f"data.validation.path={shapenet}"] if preset == "shapenet-pc15k" else []
    low, high = size
    assert low < parameters(build_parts(preset, where)) < high
    parts = build_parts(preset, [*BRIEFLY, *where, *smaller])
    run = Run(tmp_path / "run", parts.recipe)
    outcome = train(parts, run, launch(accelerator="cpu", precision=parts.recipe.train.precision), host=Host())
    assert outcome.reason == "finished"
    assert math.isfinite(outcome.progress.figures["loss"])
    assert (run.folder / "model" / "model.yaml").is_file()


def test_points_are_drawn_as_many_as_encoded():
    for name in ("furniture", "furniture-2048"):
        recipe = build_parts(name, ["data.source.count=40"]).recipe
        (subsample,) = recipe.data.augment
        assert subsample.options["points"] == recipe.codec.options["points"]
        assert recipe.data.source.options["points"] > subsample.options["points"]


def test_every_preset_is_tested():
    assert {path.stem for path in PRESETS.iterdir()} - {"furniture-codec", "furniture-latent"} == {
        "furniture",
        "furniture-2048",
        "folder-2048",
        "shapenet-pc15k",
    }
