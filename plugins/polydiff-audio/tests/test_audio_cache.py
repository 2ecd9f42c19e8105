"""Samples kept on disk."""

import multiprocessing
import os

import numpy as np
import pytest
import soundfile
from polydiff_audio.cache import Cache
from polydiff_audio.folder import Folder

from polydiff.errors import DataError, PolydiffError

KEY = {"path": "a.wav", "rate": 16000, "trim": None}


def counter(samples):
    """Make a function that gives samples and counts how often it is called."""

    def make():
        make.calls += 1
        return samples

    make.calls = 0
    return make


@pytest.fixture
def samples():
    return np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache" / "sounds")


def file_of(cache):
    (file,) = cache.folder.rglob("*.npy")
    return file


def test_what_is_kept_is_not_made_again(cache, samples):
    make = counter(samples)
    for _ in range(3):
        assert np.array_equal(cache.samples(KEY, make), samples)
    assert make.calls == 1


def test_another_key_is_another_entry(cache, samples):
    make = counter(samples)
    cache.samples(KEY, make)
    for change in ({"path": "b.wav"}, {"rate": 8000}, {"trim": 40.0}):
        cache.samples({**KEY, **change}, make)
    assert make.calls == 4


def test_what_is_kept_stays_on_the_disk_until_it_is_used(cache, samples):
    cache.samples(KEY, counter(samples))
    kept = cache.samples(KEY, counter(samples))
    assert isinstance(kept.base, np.memmap)
    kept *= 2  # is not written back
    assert np.array_equal(cache.samples(KEY, counter(samples)), samples)


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\x93NUMPY\x01\x00", "half", "header", "other"])
def test_a_damaged_file_is_made_anew(cache, samples, damage):
    cache.samples(KEY, counter(samples))
    file = file_of(cache)
    whole = file.read_bytes()
    if damage == "other":
        np.save(file, samples.astype(np.int16))
    else:
        file.write_bytes({"half": whole[: len(whole) // 2], "header": whole[:100]}.get(damage, damage))
    make = counter(samples)
    for _ in range(2):
        assert np.array_equal(cache.samples(KEY, make), samples)
    assert make.calls == 1
    assert file.read_bytes() == whole


def test_nothing_is_kept_of_what_cannot_be_made(cache):
    def make():
        raise DataError("is broken")

    with pytest.raises(DataError, match="is broken"):
        cache.samples(KEY, make)
    assert not cache.folder.exists()


def test_a_folder_that_cannot_be_made_is_reported(tmp_path, samples):
    (tmp_path / "cache").touch()
    with pytest.raises(PolydiffError, match="cannot write"):
        Cache(tmp_path / "cache").samples(KEY, counter(samples))


def fill(cache, samples):
    for place in range(20):
        assert np.array_equal(cache.samples({"place": place}, lambda: samples), samples)


def test_processes_can_share_a_cache(cache, samples):
    processes = [multiprocessing.get_context("fork").Process(target=fill, args=(cache, samples)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(list(cache.folder.rglob("*"))) == 20 + len(list(cache.folder.iterdir()))  # nothing is left aside


@pytest.fixture
def folder(tmp_path):
    """Give a folder of one recording and a function that makes a cached source of it."""
    noise = np.random.default_rng(0).standard_normal((8000, 2)).astype(np.float32) / 10
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "a.wav", noise, 8000)

    def make(**options):
        return Folder(tmp_path / "sounds", cache=tmp_path / "cache", **options)

    return make


OPTIONS = {"rate": 16000, "channels": "mix", "trim": 40.0, "normalize": "peak"}


@pytest.fixture
def decoded(monkeypatch):
    """Count how often files are decoded."""
    calls = []
    read = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *a, **k: calls.append(a) or read(*a, **k))
    return calls


def test_a_recording_is_decoded_once(folder, decoded):
    first = folder(**OPTIONS)[0].content
    assert len(decoded) == 1
    for _ in range(2):
        again = folder(**OPTIONS)[0].content
        assert (again.rate, again.channels, again.frames) == (16000, 1, 16000)
        assert np.array_equal(again.samples, first.samples)
    assert len(decoded) == 1


def test_other_options_and_files_are_decoded_anew(folder, decoded, tmp_path):
    variants = [OPTIONS, {**OPTIONS, "rate": 4000}, {**OPTIONS, "channels": "left"}, {**OPTIONS, "trim": 20.0}]
    variants += [{**OPTIONS, "normalize": "loudness"}, {**OPTIONS, "level": -6.0}, {**OPTIONS, "window": 0.5}, {}]
    contents = [folder(**options)[0].content.samples for options in variants]
    assert len(decoded) == len(variants)
    assert len({content.tobytes() for content in contents}) == len(variants) - 1  # trimming noise changes nothing
    path = tmp_path / "sounds" / "a.wav"
    os.utime(path, ns=(0, 0))
    folder(**OPTIONS)[0]
    soundfile.write(path, np.full((4000, 1), 0.1), 8000)
    assert np.allclose(folder(**OPTIONS)[0].content.samples[:, 1000:-1000], 10 ** (-1 / 20), atol=0.2)
    assert len(decoded) == len(variants) + 2


def test_the_parts_of_a_recording_are_kept_apart(folder):
    for _ in range(2):
        parts = [folder(window=0.5)[index].content.samples for index in range(2)]
        assert np.array_equal(np.concatenate(parts, axis=1), folder()[0].content.samples)


def test_a_recording_that_vanishes_is_reported_though_it_is_kept(folder, tmp_path):
    source = folder()
    source[0]
    (tmp_path / "sounds" / "a.wav").unlink()
    with pytest.raises(DataError, match=r"a\.wav: cannot be opened: No such file"):
        source[0]
