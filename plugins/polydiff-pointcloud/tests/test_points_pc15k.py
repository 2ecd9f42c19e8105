"""PointFlow's layout of ShapeNet."""

import numpy as np
import pytest
from polydiff_pointcloud.pc15k import PC15k
from polydiff_pointcloud.shapenet import CATEGORIES, NAMES

from polydiff.data.source import Source
from polydiff.errors import DataError, UsageError

SHAPES = np.random.default_rng(0).standard_normal((20, 15000, 3)).astype(np.float32)


@pytest.fixture
def root(tmp_path):
    number = iter(range(20))
    for name in ("02691156", "03001627", "other"):
        for split, count in (("train", 2), ("val", 1), ("test", 1)):
            folder = tmp_path / name / split
            folder.mkdir(parents=True)
            for place in range(count):
                np.save(folder / f"{place}.npy", SHAPES[next(number)])
    return tmp_path


def test_all_categories_of_a_split_as_they_are(root):
    source = PC15k(root)
    assert isinstance(source, Source)
    assert list(source.classes) == ["airplane", "chair", "other"]
    assert list(source.unreadable) == []
    expected = [
        ("02691156/train/0.npy", "airplane", 0),
        ("02691156/train/1.npy", "airplane", 1),
        ("03001627/train/0.npy", "chair", 4),
        ("03001627/train/1.npy", "chair", 5),
        ("other/train/0.npy", "other", 8),
        ("other/train/1.npy", "other", 9),
    ]
    assert len(source) == len(expected)
    for index, (name, label, shape) in enumerate(expected):
        example = source[index]
        assert (example.name, example.label) == (source.name(index), source.label(index)) == (name, label)
        assert np.array_equal(example.content.points, SHAPES[shape])


@pytest.mark.parametrize("categories", [("chair",), ("03001627",)])
def test_a_split_of_a_category_by_name_or_synset(root, categories):
    source = PC15k(root, "test", categories)
    assert (len(source), list(source.classes), source.name(0)) == (1, ["chair"], "03001627/test/0.npy")
    assert np.array_equal(source[0].content.points, SHAPES[7])


def test_what_cannot_be_read_is_named_with_its_place(root):
    path = root / "03001627" / "train" / "0.npy"
    path.write_bytes(path.read_bytes()[:-4])
    source = PC15k(root)
    (line,) = source.unreadable
    assert line == "03001627/train/0.npy: is truncated: 4 of the 180000 bytes of its array are missing"
    shape = SHAPES[0].copy()
    shape[3, 1] = np.nan
    np.save(root / "02691156" / "train" / "0.npy", shape)
    with pytest.raises(DataError, match=r"^02691156/train/0\.npy: has a point at \(.*, nan, .*\), which is not finite"):
        source[0]


def test_what_is_asked_for_must_be_there(root):
    with pytest.raises(UsageError, match="unknown category of ShapeNet 'chiar'; did you mean 'chair'"):
        PC15k(root, categories=("chiar",))
    with pytest.raises(UsageError, match="categories are chair, 03001627; name at least one, and each once"):
        PC15k(root, categories=("chair", "03001627"))
    with pytest.raises(DataError, match="02958343/train: there is no such folder"):
        PC15k(root, categories=("car",))
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        PC15k(root / "nowhere")
    with pytest.raises(DataError, match=r"has no folder <synset>/train; is it ShapeNetCore\.v2\.PC15k\?"):
        PC15k(root / "other")


def test_the_categories_are_the_55_of_shapenet_core():
    assert len(CATEGORIES) == len(NAMES) == 55
    assert all(len(synset) == 8 and synset.isdecimal() for synset in NAMES)
