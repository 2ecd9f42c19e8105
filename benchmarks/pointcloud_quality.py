"""How good are the shapes of a model of furniture? See `pointcloud.py`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from pointcloud_classifier import Classifier, train_classifier
from pointcloud_meshes import meshes
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.furniture import Furniture
from polydiff_pointcloud.metrics import compare, jsd
from polydiff_pointcloud.sheet import contact_sheet

from polydiff.generation.generate import generate
from polydiff.generation.request import Request
from polydiff.recipe.load import load_recipe

LESSON_SEED, TEST_SEED, HELD_OUT_SEED, OTHER_SEED, NOISE_SEED = range(1_000_001, 1_000_006)
"""Of real pieces to train the classifier and to judge it, of those compared with, of other real ones, and of noise.

The training data have seed 0: none of these pieces is among them, and all are drawn of the same parameters.
"""

LESSONS, TESTS = 3000, 1000
SIZES = (256, 1024, 4096)
"""Other numbers of points than were trained on."""


@dataclass(frozen=True)
class Shapes:
    """Clouds, and the kind that each should be."""

    clouds: Sequence[PointCloud]
    kinds: Sequence[str]


def quality(run: Path, samples: int, emd_points: int, seed: int, picture: Path) -> None:
    """Judge a run of the preset `furniture`, all kinds in turn.

    Parameters
    ----------
    run
        A run folder; its recipe tells the training data and the number of points.
    samples
        Shapes of each contestant.
    emd_points
        Points of each shape in earth mover's distances, whose cost is cubic in them.
    seed
        Of the generated set.
    picture
        Where to write one.
    """
    recipe = load_recipe(run / "recipe.yaml")
    points, options = int(recipe.codec.options["points"]), dict(recipe.data.source.options)
    classifier = _trained(options)
    held_out = real(options, samples, points, HELD_OUT_SEED)
    contestants = {
        "real": real(options, samples, points, OTHER_SEED),
        "polydiff": asked(run, samples, points, seed),
        "noise": noise(held_out),
    }
    print(f"\n{samples} shapes of {points} points each against {samples} real ones that were not trained on")
    for name, shapes in contestants.items():
        report(name, shapes, held_out, classifier, emd_points)
    for size in SIZES:
        shapes = asked(run, samples, size, seed)
        print(f"{size:5} points: {classifier.accuracy(shapes.clouds, shapes.kinds):.1%} are what was asked for")
    meshes(asked(run, 3, 4096, seed, label="table").clouds)
    picture.write_bytes(beside(held_out, contestants))
    print(f"\n{picture}: real, polydiff and noise, in three rows")


def real(options: dict[str, object], count: int, points: int, seed: int) -> Shapes:
    """Build pieces as the training data are."""
    source = Furniture(**options | {"count": count, "seed": seed, "points": points})
    examples = [source[i] for i in range(count)]
    return Shapes([example.content for example in examples], [str(example.label) for example in examples])


def asked(run: Path, count: int, points: int, seed: int, label: str = "all") -> Shapes:
    """Generate as `polydiff generate --label all --size ...` does, and read the files."""
    request = Request(count=count, seed=seed, conditions={"label": label}, size=str(points), batch=32)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        records = generate(run, request, folder)
        print(f"polydiff: {count} shapes of {points} points in {time.perf_counter() - start:.0f} s")
        read = [trimesh.load(Path(folder, record["file"])) for record in records]
    clouds = [PointCloud(np.asarray(each.vertices, np.float32)) for each in read]
    return Shapes(clouds, [record["conditions"]["label"] for record in records])


def noise(shapes: Shapes) -> Shapes:
    """Draw clouds of independent normal points, spread as the shapes are."""
    rng = np.random.default_rng(NOISE_SEED)
    points = np.concatenate([cloud.points for cloud in shapes.clouds])
    center, spread = points.mean(0), points.std(0)
    clouds = [rng.normal(center, spread, cloud.points.shape).astype(np.float32) for cloud in shapes.clouds]
    return Shapes([PointCloud(each) for each in clouds], shapes.kinds)


def report(name: str, shapes: Shapes, held_out: Shapes, classifier: Classifier, emd_points: int) -> None:
    """Print a contestant's figures."""
    print(f"\n{name}")
    for distance, points in (("chamfer", None), ("emd", emd_points)):
        record = compare(shapes.clouds, held_out.clouds, distance=distance, points=points)
        print(
            f"  {distance:8} 1-NNA {record['one_nna']:6.1%}   COV {record['coverage']:6.1%}   MMD {record['mmd']:.5f}"
            f"   ({record['distance']['formula']}; {record['real']['points']} points)"
        )
    print(f"  JSD      {jsd(shapes.clouds, held_out.clouds)['value']:.4f}")
    print(f"  kind     {classifier.accuracy(shapes.clouds, shapes.kinds):.1%} are what they should be")


def beside(held_out: Shapes, contestants: dict[str, Shapes]) -> bytes:
    """Draw the first of each kind of all in rows: real, generated, noise."""
    kinds = list(dict.fromkeys(held_out.kinds))
    rows = [held_out, contestants["polydiff"], contestants["noise"]]
    shown = [row.clouds[list(row.kinds).index(kind)] for row in rows for kind in kinds]
    return contact_sheet(shown, kinds * len(rows))


def _trained(options: dict[str, object]) -> Classifier:
    start = time.perf_counter()
    lessons, tests = (real(options, n, 512, seed) for n, seed in ((LESSONS, LESSON_SEED), (TESTS, TEST_SEED)))
    classifier = train_classifier(lessons.clouds, lessons.kinds)
    accuracy = classifier.accuracy(tests.clouds, tests.kinds)
    print(f"classifier: {accuracy:.1%} of {TESTS} real shapes right; {time.perf_counter() - start:.0f} s")
    return classifier
