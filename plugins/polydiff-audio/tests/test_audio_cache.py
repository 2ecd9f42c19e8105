"""Recordings kept on disk."""

import os

import numpy as np
import pytest
import soundfile
from polydiff_audio.folder import Folder

from polydiff.errors import DataError


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
