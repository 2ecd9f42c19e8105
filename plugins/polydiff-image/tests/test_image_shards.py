"""Pictures in tar shards."""

import tarfile

import numpy as np
import pytest
from PIL import Image
from polydiff_image.folder import Folder, WebDataset

from polydiff.data.shards import Shards


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    for name in ("cat/1.png", "cat/2.webp", "dog/3.jpg", "dog/4.tif", "dog/5.gif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(folder / name)
    (folder / "dog/6.png").write_bytes((folder / "cat/1.png").read_bytes()[:2000])
    (folder / "dog/7.png").write_bytes(b"none")
    return folder


def test_an_archive_holds_what_the_folder_holds(pictures, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for path in sorted(pictures.rglob("*.*")):
            archive.add(path, path.relative_to(pictures))
    folder, shards = Folder(pictures, shrink_to=16), WebDataset(Shards((f"{tmp_path}/a.tar",)), shrink_to=16)
    assert len(shards) == len(folder) == 6
    assert shards.unreadable == [f"a.tar/{line}" for line in folder.unreadable]
    for index in range(5):
        one, other = shards[index], folder[index]
        assert (one.name, one.label) == (f"a.tar/{other.name}", other.label)
        assert one.content.size == other.content.size
        assert np.array_equal(np.asarray(one.content), np.asarray(other.content))
