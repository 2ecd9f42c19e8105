"""Scenes, their sentences, and the reader of pictures that judges models of them."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from polydiff_image.scenes.scene import (
    COLOURS,
    KINDS,
    RELATIONS,
    SHAPES,
    Kind,
    Sentence,
    Thing,
    describe,
    holds,
    parse_kind,
    parse_sentence,
)
from polydiff_image.scenes.shapes import coverage
from polydiff_image.scenes.source import HELD_OUT, Scenes, draw

from polydiff.errors import UsageError

kinds = st.sampled_from(KINDS)
sentences = st.integers(1, 3).flatmap(
    lambda n: st.builds(Sentence, st.tuples(*[kinds] * n), st.tuples(*[st.sampled_from(list(RELATIONS))] * (n - 1)))
)


@pytest.fixture(scope="module")
def reader():
    path = Path(__file__).parents[3] / "benchmarks" / "scenes.py"
    spec = importlib.util.spec_from_file_location("scenes_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@given(sentences)
def test_sentences_are_read_as_they_are_written(sentence):
    assert parse_sentence(str(sentence)) == sentence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a rad circle", "did you mean 'red'"),
        ("a red circel", "did you mean 'circle'"),
        ("red circle", "is no thing of a scene"),
        ("a red circle left of blue square", "'blue square' is no thing of a scene"),
    ],
)
def test_other_sentences_are_refused(text, message):
    with pytest.raises(UsageError, match=message):
        parse_sentence(text)


def test_what_is_true_of_a_scene():
    red, blue, green = Kind("red", "circle"), Kind("blue", "square"), Kind("green", "circle")
    things = [Thing(red, 5, 5, 3), Thing(blue, 20, 8, 3), Thing(green, 18, 25, 3)]
    assert str(describe(things)) == "a red circle left of a blue square above a green circle"
    for text, true in (
        ("a red circle left of a blue square above a green circle", True),
        ("a green circle below a blue square right of a red circle", True),
        ("a green circle below a red circle left of a blue square", True),
        ("a red circle left of a blue square below a green circle", False),
        ("a red circle right of a blue square above a green circle", False),
        ("a red square left of a blue circle above a green circle", False),
        ("a red circle left of a blue square", False),
        ("a red circle", False),
    ):
        assert holds(parse_sentence(text), things) is true, text


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_cover_their_area_around_their_centre(shape):
    for x, y, radius in ((16.3, 15.1, 4.2), (9.77, 21.5, 3.2)):
        share, (rows, columns) = coverage(shape, x, y, radius, 32)
        down, across = np.mgrid[rows, columns] + 0.5
        assert share.sum() == pytest.approx(math.pi * radius**2, rel=0.03)
        assert (share * across).sum() / share.sum() == pytest.approx(x, abs=0.05)
        assert (share * down).sum() / share.sum() == pytest.approx(y, abs=0.05)
        assert share.min() >= 0
        assert share.max() == 1


def test_triangles_stand_on_a_side():
    share, _ = coverage("triangle", 16.0, 16.0, 6.0, 32)
    assert (np.diff(share.sum(1)[:-1]) >= -1e-9).all()


def test_scenes_are_the_same_each_time_and_their_captions_true():
    for part in ("train", "held-out", "all"):
        source = Scenes(count=40, part=part)
        for i in range(len(source)):
            example = source[i]
            assert np.array_equal(np.asarray(example.content), np.asarray(Scenes(count=40, part=part)[i].content))
            assert example.content.size == (32, 32)
            assert holds(parse_sentence(example.caption), source.scene(i))
            assert example.attributes["things"] == len(source.scene(i)) <= 3


def test_kinds_that_are_held_out_are_seen_in_no_scene_of_training_and_in_every_other():
    apart = {parse_kind(text) for text in HELD_OUT}
    shown = [{thing.kind for thing in Scenes(count=300).scene(i)} for i in range(300)]
    held = [{thing.kind for thing in Scenes(count=300, part="held-out").scene(i)} for i in range(300)]
    assert set().union(*shown) == set(KINDS) - apart
    assert all(kinds & apart for kinds in held)
    assert set().union(*held) == set(KINDS)
    for colour in COLOURS:
        assert any(kind.colour == colour for kind in set().union(*shown))


def test_sizes_and_numbers_are_options():
    assert Scenes(size=48, things=1)[0].content.size == (48, 48)
    assert all(len(Scenes(things=1).scene(i)) == 1 for i in range(20))
    assert Scenes(seed=1).scene(0) != Scenes(seed=0).scene(0)
    for options in ({"size": 8}, {"things": 4}, {"held_out": ("red",)}, {"held_out": (), "part": "held-out"}):
        with pytest.raises(UsageError):
            Scenes(**options)


@pytest.mark.parametrize("size", [32, 64])
def test_the_reader_is_exact_on_real_scenes(reader, size):
    for part in ("train", "held-out"):
        source = Scenes(size, part=part)
        for i in range(100):
            things, read = source.scene(i), reader.read_scene(source[i].content)
            assert read.legible
            assert holds(describe(things), read.things)
            nearest = [min(read.things, key=lambda r, t=t: abs(r.x - t.x) + abs(r.y - t.y)) for t in things]
            for thing, seen in zip(things, nearest, strict=True):
                assert (seen.kind, seen.x, seen.y) == (
                    thing.kind,
                    pytest.approx(thing.x, abs=0.1),
                    pytest.approx(thing.y, abs=0.1),
                )


def test_the_reader_bears_some_noise_and_refuses_what_is_no_thing(reader):
    things = Scenes(count=9).scene(3)
    levels = np.asarray(draw(things, 32), np.float64)
    noisy = levels + np.random.default_rng(0).normal(0, 8, levels.shape)
    noisy = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    assert holds(describe(things), reader.read_scene(noisy).things)
    assert reader.read_scene(noisy).legible
    blot = levels.copy()
    blot[14:18, 2:30] = COLOURS["red"]  # a bar
    assert not reader.read_scene(Image.fromarray(blot.astype(np.uint8))).legible
    two = np.zeros((32, 32, 3), np.uint8)
    two[10:18, 10:14], two[10:18, 14:18] = COLOURS["red"], COLOURS["blue"]
    assert reader.read_scene(Image.fromarray(two)) == reader.Scene([], False)
    assert reader.read_scene(Image.new("RGB", (32, 32))) == reader.Scene([], True)


def test_chance_is_low(reader):
    """A caption meant for another scene with as many things is hardly ever true of this one."""
    scenes = [Scenes(count=400).scene(i) for i in range(400)]
    for count in (2, 3):
        same = [scene for scene in scenes if len(scene) == count]
        assert sum(holds(describe(one), other) for one, other in zip(same, same[1:], strict=False)) <= 2
