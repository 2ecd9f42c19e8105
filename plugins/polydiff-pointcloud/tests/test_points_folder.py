"""A folder of shapes: labels, what is left out, and the cache."""

import os

import numpy as np
import pytest
import trimesh
from polydiff_pointcloud import reading
from polydiff_pointcloud.cache import Cache
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.folder import Folder

from polydiff.errors import DataError, PolydiffError

KEY = {"path": "a.ply", "normals": False, "colors": False}


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


def test_a_cache_keeps_colours(tmp_path):
    cloud = PointCloud(*np.random.default_rng(0).random((3, 10, 3), np.float32))
    cache, key = Cache(tmp_path / "c"), {**KEY, "normals": True, "colors": True}
    cache.cloud(key, lambda: cloud)
    kept = cache.cloud(key, lambda: pytest.fail("is made again"))
    for part in ("points", "normals", "colors"):
        assert np.array_equal(getattr(kept, part), getattr(cloud, part))


@pytest.mark.parametrize("spoil", [
    lambda file: file.write_bytes(file.read_bytes()[:-1]),
    lambda file: file.write_bytes(b""),
    lambda file: np.save(file, np.zeros((4, 6), np.float32)),
    lambda file: np.save(file, np.zeros((4, 3))),
    lambda file: np.save(file, np.zeros((0, 3), np.float32)),
    lambda file: np.save(file, np.array([[{}, {}, {}]], object), allow_pickle=True),
])  # fmt: skip
def test_damaged_entries_are_made_again(tmp_path, spoil):
    cloud, cache = PointCloud(np.ones((4, 3), np.float32)), Cache(tmp_path / "c")
    cache.cloud(KEY, lambda: cloud)
    (file,) = cache.folder.rglob("*.npy")
    spoil(file)
    assert np.array_equal(cache.cloud(KEY, lambda: cloud).points, cloud.points)
    assert np.array_equal(cache.cloud(KEY, lambda: pytest.fail("is made again")).points, cloud.points)


def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "c").write_text("I am no folder")
    with pytest.raises(PolydiffError, match="cannot write "):
        Cache(tmp_path / "c").cloud(KEY, lambda: PointCloud(np.ones((4, 3), np.float32)))


def test_a_file_that_vanishes_is_named(shapes, tmp_path):
    for cache in (None, tmp_path / "cache"):
        source = Folder(shapes, cache=cache)
        path = shapes / "ball" / "a.ply"
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(DataError, match=r"ball/a\.ply: cannot be opened: No such file or directory"):
            source[0]
        path.write_bytes(content)
