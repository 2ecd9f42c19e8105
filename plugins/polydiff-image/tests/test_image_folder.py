"""A folder of real files, good and bad, as a source."""

import time

import numpy as np
import pytest
import torch
from PIL import Image
from polydiff_image.augmentations import Crop, Flip, Jitter
from polydiff_image.folder import Folder
from polydiff_image.pictures import SHRUNK
from polydiff_image.pixels import Pixels

from polydiff.data.examples import ExampleSet
from polydiff.data.loader import batches
from polydiff.data.source import Source
from polydiff.errors import DataError, UsageError


@pytest.fixture
def photos(tmp_path):
    """A folder of six good pictures in two sub-folders, a text file named .png and a truncated JPEG."""
    rng = np.random.default_rng(0)
    for name in (
        "cats/tom.png",
        "cats/garfield.jpg",
        "cats/félix.webp",
        "dogs/rex.gif",
        "dogs/laïka.tif",
        "dogs/a.jpeg",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    (tmp_path / "dogs" / "b.png").write_text("I am no picture")
    whole = (tmp_path / "dogs" / "a.jpeg").read_bytes()
    (tmp_path / "dogs" / "c.jpg").write_bytes(whole[: len(whole) // 2])
    return tmp_path


def test_pictures_become_examples(photos):
    (photos / "metadata.jsonl").write_text('{"file_name": "cats/tom.png", "caption": "Tom, again", "age": 3}')
    source = Folder(photos)
    assert isinstance(source, Source)
    assert (len(source), source.classes) == (7, ["cats", "dogs"])
    tom = source[[source.name(i) for i in range(7)].index("cats/tom.png")]
    assert (tom.label, tom.caption, tom.get("age")) == ("cats", "Tom, again", 3)
    assert (tom.content.size, tom.content.mode) == ((50, 40), "RGB")


def test_a_text_named_png_is_reported_at_the_scan(photos):
    assert Folder(photos).unreadable == ["dogs/b.png: is no picture in a format that is read"]


@pytest.mark.parametrize("workers", [0, 2])
def test_training_goes_on_without_a_truncated_jpeg(photos, workers):
    source = Folder(photos)
    augment = [Flip(), Crop(), Jitter()]
    examples = ExampleSet(source, range(len(source)), Pixels(16), augment=augment)
    read = list(batches(examples, [range(7), range(7, 14)], workers=workers))
    assert [batch.x.shape for batch in read] == [(7, 3, 16, 16)] * 2
    assert [len(batch.unreadable) for batch in read] == [1, 0]
    assert read[0].unreadable[0].startswith("dogs/c.jpg: cannot be decoded: image file is truncated")
    assert all(torch.isfinite(batch.x).all() for batch in read)


def test_on_error_stop_stops_at_both(photos):
    source = Folder(photos)
    with pytest.raises(DataError, match=r"dogs/b\.png"):
        ExampleSet(source, range(len(source)), Pixels(16), on_error="stop")
    (photos / "dogs" / "b.png").unlink()
    source = Folder(photos)
    examples = ExampleSet(source, range(len(source)), Pixels(16), on_error="stop")
    with pytest.raises(DataError, match=r"dogs/c\.jpg: cannot be decoded"):
        list(batches(examples, [range(7)]))


def test_a_file_that_vanishes_is_named(photos):
    source = Folder(photos)
    (photos / "cats" / "félix.webp").unlink()
    with pytest.raises(DataError, match=r"cats/félix\.webp: cannot be opened: No such file"):
        source[0]


def test_a_folder_without_pictures_says_what_it_looked_for(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"looked for \.gif, \.jpeg, \.jpg, \.png, \.tif, \.tiff, \.webp"):
        Folder(tmp_path)


def test_large_jpegs_are_shrunk_when_asked(tmp_path):
    Image.new("RGB", (800, 400)).save(tmp_path / "a.jpg")
    picture = Folder(tmp_path, shrink_to=128)[0].content
    assert (picture.size, picture.info) == ((400, 200), {SHRUNK: (400, 200)})


@pytest.mark.parametrize("size", [(9500, 9500), (20_000, 10_000)])
def test_pictures_of_too_many_pixels_are_reported(photos, size):
    Image.new("1", size).save(photos / "huge.png")
    (line,) = [line for line in Folder(photos, max_pixels=10**7).unreadable if "huge" in line]
    assert line.startswith("huge.png: has ")


@pytest.mark.parametrize("options", [{"max_pixels": 0}, {"max_pixels": 10**9}, {"shrink_to": 0}])
def test_options_out_of_range_are_refused(photos, options):
    with pytest.raises(UsageError, match=next(iter(options))):
        Folder(photos, **options)


def test_a_large_folder_is_scanned_quickly(tmp_path):
    (tmp_path / "0.png").touch()
    Image.new("RGB", (64, 64)).save(tmp_path / "0.png")
    for index in range(1, 2000):
        (tmp_path / f"{index}.png").hardlink_to(tmp_path / "0.png")
    start = time.perf_counter()
    assert len(Folder(tmp_path)) == 2000
    assert time.perf_counter() - start < 4  # measured: 0.2 s
