"""A folder of shapes: labels, what is left out, and the cache."""

import os

import numpy as np
import pytest
import trimesh
from polydiff_pointcloud import reading
from polydiff_pointcloud.folder import Folder

from polydiff.errors import DataError


@pytest.fixture
def shapes(tmp_path):
    folder = tmp_path / "shapes"
    for label, make in (("ball", trimesh.creation.icosphere), ("cube", trimesh.creation.box)):
        (folder / label).mkdir(parents=True)
        make().export(folder / label / "a.ply")
        np.save(folder / label / "b.npy", make().sample(30, seed=0))
    return folder


@pytest.fixture
def counted(monkeypatch):
    """Count how often a file is read as a whole."""
    read, calls = reading.read, []
    monkeypatch.setattr(reading, "read", lambda path, *rest: calls.append(path.name) or read(path, *rest))
    return calls


def test_labels_are_sub_folders_and_tables_say_more(shapes):
    (shapes / "metadata.jsonl").write_text(
        '{"file_name": "cube/a.ply", "label": "box", "caption": "a box", "side": 1.0}'
    )
    source = Folder(shapes, points=20)
    assert list(source.classes) == ["ball", "box", "cube"]
    assert [(source.name(index), source.label(index), len(source[index].content)) for index in range(4)] == [
        ("ball/a.ply", "ball", 20),
        ("ball/b.npy", "ball", 20),
        ("cube/a.ply", "box", 20),
        ("cube/b.npy", "cube", 20),
    ]
    assert (source[2].caption, source[2].attributes) == ("a box", {"side": 1.0})


def test_clouds_may_have_different_numbers_of_points(shapes):
    """Point files are taken as they are; it is for the codec to refuse or to mask what is too few for it."""
    np.save(shapes / "cube" / "c.npy", np.random.default_rng(0).random((7, 3)))
    assert [len(example.content) for example in map(Folder(shapes, points=500).__getitem__, range(5))] == [
        500, 30, 500, 30, 7,
    ]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"normals": True}])
def test_the_cache_gives_what_reading_gives(shapes, tmp_path, counted, options):
    (shapes / "ball" / "b.npy").unlink()
    (shapes / "cube" / "b.npy").unlink()
    plain = Folder(shapes, 20, **options)
    cached = Folder(shapes, 20, cache=tmp_path / "cache", **options)
    for _ in range(3):
        for index in range(2):
            for part in ("points", "normals", "colors"):
                here, there = (getattr(source[index].content, part) for source in (plain, cached))
                assert (here is None and there is None) or np.array_equal(here, there)
    assert len(counted) == 2 * 9 + 2


def test_another_file_or_option_is_another_entry(shapes, tmp_path, counted):
    def read(**options):
        Folder(shapes, **{"points": 20, "cache": tmp_path / "cache", **options})[0]

    for options in ({}, {"points": 21}, {"normals": True}, {"normalize": "none"}, {"up": "z"}, {"max_points": 1000}):
        read(**options)
        read(**options)
    assert len(counted) == 6
    path = shapes / "ball" / "a.ply"
    os.utime(path, ns=(0, 0))
    read()
    read()
    assert len(counted) == 7


def test_a_file_that_vanishes_is_named(shapes, tmp_path):
    for cache in (None, tmp_path / "cache"):
        source = Folder(shapes, cache=cache)
        path = shapes / "ball" / "a.ply"
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(DataError, match=r"ball/a\.ply: cannot be opened: No such file or directory"):
            source[0]
        path.write_bytes(content)
