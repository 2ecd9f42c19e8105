"""Arrays kept on disk."""

import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from polydiff.data import cache as module
from polydiff.data.cache import Cache
from polydiff.errors import DataError, PolydiffError

KEY = {"path": "a.wav", "rate": 16000, "trim": None}


def counter(**arrays):
    """Make a function that gives arrays and counts how often it is called."""

    def make():
        make.calls += 1
        return arrays

    make.calls = 0
    return make


@pytest.fixture(params=["small", "large"])
def samples(request, monkeypatch):
    """Give arrays that are checked as a whole, or are mapped."""
    if request.param == "large":
        monkeypatch.setattr(module, "CHECKED", 100)
    rng = np.random.default_rng(0)
    return {"x": rng.standard_normal((2, 1000)).astype(np.float32), "n": np.array([3, 4])}


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache" / "sounds")


def file_of(cache):
    (file,) = cache.folder.rglob("*.safetensors")
    return file


def equal(kept, samples):
    return set(kept) == set(samples) and all(
        np.array_equal(kept[name], samples[name]) and kept[name].dtype == samples[name].dtype for name in samples
    )


def test_what_is_kept_is_not_made_again(cache, samples):
    make = counter(**samples)
    for _ in range(3):
        assert equal(cache.arrays(KEY, make), samples)
    assert make.calls == 1


def test_a_file_is_one_of_safetensors(cache, samples):
    cache.arrays(KEY, counter(**samples))
    assert equal(load(file_of(cache).read_bytes()), samples)


@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1"])
def test_arrays_of_every_kind_and_shape_come_back(cache, kind):
    arrays = {"a": np.arange(24).astype(kind).reshape(2, 3, 4), "b": np.array(7).astype(kind), "c": np.ones(3, "u1")}
    for strange in (arrays["a"].T, arrays["a"][::2, 1:]):
        key = {"kind": kind, "shape": strange.shape}
        cache.arrays(key, lambda: {**arrays, "strange": strange})  # noqa: B023 (called here)
        assert equal(cache.arrays(key, lambda: pytest.fail("is made again")), {**arrays, "strange": strange})


def test_another_key_is_another_entry(cache, samples):
    make = counter(**samples)
    cache.arrays(KEY, make)
    for change in ({"path": "b.wav"}, {"rate": 8000}, {"trim": 40.0}):
        cache.arrays({**KEY, **change}, make)
    assert make.calls == 4


def test_changes_are_not_kept(cache, samples):
    cache.arrays(KEY, counter(**samples))
    kept = cache.arrays(KEY, counter(**samples))["x"]
    kept *= 2
    assert equal(cache.arrays(KEY, counter()), samples)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not tell what is mapped")
def test_a_large_file_stays_on_the_disk_until_it_is_used(cache):
    big = np.zeros((1, module.CHECKED), np.float32)
    cache.arrays(KEY, counter(x=big))
    kept = cache.arrays(KEY, counter())["x"]
    assert isinstance(kept.base, np.ndarray)
    assert str(file_of(cache)) in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize(
    "damage", [b"", b"garbage", b"\xff" * 200, b"\x00" * 200, "half", "header", "other", "nothing"]
)
def test_a_damaged_file_is_made_anew(cache, samples, damage):
    cache.arrays(KEY, counter(**samples))
    file = file_of(cache)
    whole = file.read_bytes()
    changes = {
        "half": whole[: len(whole) // 2],
        "header": whole[:100],
        "other": save({"x": np.zeros(3, np.float16)}),
        "nothing": (2).to_bytes(8, "little") + b"{}",
    }
    file.write_bytes(changes[damage] if isinstance(damage, str) else damage)
    make = counter(**samples)
    for _ in range(2):
        assert equal(cache.arrays(KEY, make), samples)
    assert make.calls == 1
    assert file.read_bytes() == whole


def test_a_bit_that_fell_over_in_a_small_file_is_noticed(cache):
    arrays = {"x": np.ones((3, 32, 32), np.float32)}
    cache.arrays(KEY, counter(**arrays))
    content = bytearray(file_of(cache).read_bytes())
    content[-1000] ^= 1
    file_of(cache).write_bytes(content)
    make = counter(**arrays)
    assert equal(cache.arrays(KEY, make), arrays)
    assert make.calls == 1


@pytest.mark.parametrize(("size", "synced"), [(10, 0), (module.CHECKED, 1)])
def test_only_what_is_not_checked_later_is_synced(cache, monkeypatch, size, synced):
    calls = []
    monkeypatch.setattr(os, "fsync", calls.append)
    cache.arrays(KEY, counter(x=np.zeros(size, np.uint8)))
    assert len(calls) == synced


def test_nothing_is_kept_of_what_cannot_be_made(cache):
    def make():
        raise DataError("is broken")

    with pytest.raises(DataError, match="is broken"):
        cache.arrays(KEY, make)
    assert not cache.folder.exists()


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(PolydiffError, match="cannot write"):
        Cache(tmp_path / "cache").arrays(KEY, counter(x=np.ones(3)))


def fill(cache, samples):
    for place in range(20):
        assert equal(cache.arrays({"place": place}, lambda: samples), samples)


def test_processes_can_share_a_cache(cache, samples):
    processes = [multiprocessing.get_context("fork").Process(target=fill, args=(cache, samples)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(list(cache.folder.rglob("*"))) == 20 + len(list(cache.folder.iterdir()))  # nothing is left aside


def test_what_finds_no_room_is_refused_at_once(cache, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 1000))
    cache.check_room(1000)
    with pytest.raises(DataError, match=r"2e-06 GB are to be kept, and there is room for 1e-06"):
        cache.check_room(2000)
    cache.arrays(KEY, counter(x=np.zeros(1000, np.uint8)))
    cache.check_room(2000)  # half of it is there already


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("")
    for folder in (tmp_path / "a.txt", tmp_path / "a.txt" / "below"):
        with pytest.raises(DataError, match=r"a\.txt is no folder to keep anything in; data\.cache names one"):
            Cache(folder).check_room(1)
