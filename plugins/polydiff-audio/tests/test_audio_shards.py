"""Recordings in tar shards."""

import tarfile

import numpy as np
import pytest
import soundfile
from polydiff_audio.folder import Folder, WebDataset

from polydiff.data.shards import Shards


@pytest.fixture
def recordings(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "recordings"
    for name in ("cat/1.wav", "cat/2.flac", "dog/3.ogg", "dog/4.mp3"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, 0.1 * rng.standard_normal((20000, 2)), 8000)
    (folder / "dog/5.wav").write_bytes((folder / "cat/1.wav").read_bytes()[:2000])
    return folder


@pytest.mark.parametrize("options", [{}, {"window": 1.0, "rate": 16000, "channels": "mix"}, {"trim": 40.0}])
def test_an_archive_holds_what_the_folder_holds(recordings, tmp_path, options):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for path in sorted(recordings.rglob("*.*")):
            archive.add(path, path.relative_to(recordings))
    folder, shards = Folder(recordings, **options), WebDataset(Shards((f"{tmp_path}/a.tar",)), **options)
    assert len(shards) == len(folder) == (12 if "window" in options else 4)
    assert shards.unreadable == [f"a.tar/{line}" for line in folder.unreadable]
    for index in range(len(folder)):
        one, other = shards[index], folder[index]
        assert (one.name, one.label) == (f"a.tar/{other.name}", other.label)
        assert np.array_equal(one.content.samples, other.content.samples)
        part = (one.content.cut(100, 2000), other.content.cut(100, 2000))
        assert np.array_equal(part[0].samples, part[1].samples)


def test_items_of_an_archive_are_kept_in_a_cache(recordings, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(recordings / "cat/1.wav", "1.wav")
    shards = Shards((f"{tmp_path}/a.tar",))
    made = WebDataset(shards, cache=tmp_path / "cache")[0].content.samples
    (kept,) = (tmp_path / "cache").rglob("*.*")
    before = kept.stat().st_mtime_ns
    assert np.array_equal(WebDataset(shards, cache=tmp_path / "cache")[0].content.samples, made)
    assert kept.stat().st_mtime_ns == before
