"""A folder of recordings as a source."""

import multiprocessing
import time

import numpy as np
import pytest
import soundfile
from polydiff_audio.folder import Folder
from polydiff_audio.loudness import loudness
from polydiff_audio.recording import Recording

from polydiff.data.source import Source
from polydiff.errors import DataError, UsageError

RATE = 8000


def sine(seconds, rate=RATE, frequency=440, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def save(tmp_path):
    """Make a function that writes a file below the folder."""

    def write(name, frames, rate=RATE, **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        soundfile.write(path, frames, rate, **options)
        return tmp_path

    return write


def names(source):
    return [source.name(index) for index in range(len(source))]


def test_recordings_become_examples(save, tmp_path):
    for name in ("dogs/rex.wav", "dogs/laïka.flac", "cats/tom.ogg", "cats/félix.mp3", "top.wav"):
        save(name, sine(0.5))
    save("cats/garfield.opus", sine(0.5), format="OGG", subtype="OPUS")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "cats/tom.ogg", "caption": "Tom, again", "age": 3}')
    source = Folder(tmp_path)
    assert isinstance(source, Source)
    assert (len(source), source.classes, source.unreadable) == (6, ["cats", "dogs"], [])
    assert [source.label(index) for index in range(6)] == ["cats"] * 3 + ["dogs"] * 2 + [None]
    tom = source[names(source).index("cats/tom.ogg")]
    assert (tom.name, tom.label, tom.caption, tom.get("age")) == ("cats/tom.ogg", "cats", "Tom, again", 3)
    assert (tom.content.rate, tom.content.channels, tom.content.frames) == (RATE, 1, RATE // 2)
    assert isinstance(tom.content, Recording)


def test_a_table_names_labels(save, tmp_path):
    save("a.wav", sine(0.1))
    save("b.wav", sine(0.1))
    (tmp_path / "metadata.csv").write_text("file_name,label,pitch\na.wav,flute,60.5\n")
    source = Folder(tmp_path)
    assert source.classes == ["flute"]
    assert [(source[i].label, source[i].get("pitch")) for i in range(2)] == [("flute", 60.5), (None, None)]


def test_an_item_is_the_same_each_time_and_in_any_process(save):
    folder = save("a.wav", sine(0.5, 11025), 11025)
    save("b.wav", sine(0.7))
    source = Folder(folder, rate=RATE, trim=30, normalize="loudness")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.map(source.__getitem__, range(2))
    for index in range(2):
        assert np.array_equal(source[index].content.samples, source[index].content.samples)
        assert np.array_equal(source[index].content.samples, there[index].content.samples)


def test_rates_and_channels_are_made_one(save):
    folder = save("a.wav", np.stack([sine(0.5, 44100), 0 * sine(0.5, 44100)], axis=1), 44100)
    save("b.wav", sine(0.5, 16000), 16000)
    source = Folder(folder, rate=16000, channels="mix")
    for index, amplitude in enumerate((0.25, 0.5)):
        sound = source[index].content
        assert (sound.rate, sound.samples.shape) == (16000, (1, 8000))
        error = sound.samples[0] - sine(0.5, 16000, amplitude=amplitude)
        assert np.abs(error[300:-300]).max() < 1e-4
    own = Folder(folder)
    assert [(own[i].content.rate, own[i].content.channels) for i in range(2)] == [(44100, 2), (16000, 1)]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (3.0, ["a.wav@0s", "a.wav@1s", "a.wav@2s"]),
        (3.5, ["a.wav@0s", "a.wav@1s", "a.wav@2s", "a.wav@3s"]),
        (3.4, ["a.wav@0s", "a.wav@1s", "a.wav@2s"]),
        (1.4, ["a.wav"]),
        (0.3, ["a.wav"]),
    ],
)
def test_long_recordings_are_divided(save, seconds, expected):
    frames = sine(seconds, frequency=17)
    source = Folder(save("cats/a.wav", frames, subtype="FLOAT"), window=1.0)
    assert (len(source), names(source)) == (len(expected), [f"cats/{name}" for name in expected])
    for index in range(len(source)):
        example = source[index]
        assert (example.name, example.label, source.label(index)) == (source.name(index), "cats", "cats")
        part = frames[index * RATE : (index + 1) * RATE].astype(np.float32)
        assert np.array_equal(example.content.samples[0], part)


def test_windows_neither_drift_nor_overlap(save):
    frames = np.arange(3 * 11025) / 2**16
    source = Folder(save("a.wav", frames, 11025, subtype="FLOAT"), window=0.1001)
    joined = np.concatenate([source[index].content.samples[0] for index in range(len(source))])
    assert np.array_equal(joined, frames[: len(joined)].astype(np.float32))
    assert source.name(29) == "a.wav@2.9029s"


def test_parts_and_whole_files_stand_side_by_side(save):
    folder = save("b.wav", sine(2))
    save("a.wav", sine(0.5))
    save("c.wav", sine(1))
    source = Folder(folder, window=1, rate=4000)
    assert names(source) == ["a.wav", "b.wav@0s", "b.wav@1s", "c.wav"]
    assert [source[index].content.frames for index in range(4)] == [2000, 4000, 4000, 4000]


def test_silence_is_trimmed_from_each_item(save):
    silence = np.zeros(RATE)
    folder = save("a.wav", np.concatenate([silence, sine(0.5), silence, sine(0.25)]))
    assert Folder(folder, trim=40)[0].content.frames == 1.75 * RATE
    assert Folder(folder, trim=40, window=1.75)[0].content.frames == 0.5 * RATE


@pytest.mark.parametrize(("level", "peak"), [(None, 10 ** (-1 / 20)), (-20.0, 0.1)])
def test_recordings_are_brought_to_a_peak(save, level, peak):
    folder = save("a.wav", np.stack([sine(1, amplitude=0.01), sine(1, amplitude=0.3)], axis=1))
    samples = Folder(folder, normalize="peak", level=level)[0].content.samples
    assert np.allclose(np.abs(samples).max(axis=1), [peak / 30, peak], rtol=0.01)


@pytest.mark.parametrize(("level", "expected"), [(None, -23), (-16.0, -16)])
def test_recordings_are_brought_to_a_loudness(save, level, expected):
    folder = save("a.wav", sine(1, 44100), 44100)
    sound = Folder(folder, rate=16000, normalize="loudness", level=level)[0].content
    assert loudness(sound.samples, 16000) == pytest.approx(expected, abs=0.01)


def test_items_that_are_read_as_a_whole_may_be_too_long(save):
    folder = save("a.wav", sine(3))
    save("b.wav", sine(1))
    source = Folder(folder, trim=40, max_seconds=2)
    assert names(source) == ["b.wav"]
    assert source.unreadable == [
        "a.wav: is 3 s long, more than 2; data.source.window divides it, data.source.max_seconds allows it"
    ]
    assert len(Folder(folder, max_seconds=2)) == 2
    assert len(Folder(folder, trim=40, max_seconds=2, window=1)) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", 0),
        ("rate", 10**7),
        ("window", 0),
        ("window", float("nan")),
        ("window", float("inf")),
        ("trim", 0),
        ("level", -3),
        ("max_seconds", 0),
    ],
)
def test_options_out_of_range_are_refused(save, name, value):
    with pytest.raises(UsageError, match=name):
        Folder(save("a.wav", sine(0.1)), **{name: value})


@pytest.mark.parametrize("level", [1.0, -70.0])
def test_levels_out_of_range_are_refused(save, level):
    with pytest.raises(UsageError, match="level"):
        Folder(save("a.wav", sine(0.1)), normalize="peak", level=level)


def test_a_folder_without_recordings_says_what_it_looked_for(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"looked for \.flac, \.mp3, \.oga, \.ogg, \.opus, \.wav"):
        Folder(tmp_path)


def test_a_large_folder_is_scanned_quickly(save, tmp_path):
    save("0.flac", sine(1))
    for index in range(1, 2000):
        (tmp_path / f"{index}.flac").hardlink_to(tmp_path / "0.flac")
    start = time.perf_counter()
    assert len(Folder(tmp_path)) == 2000
    assert time.perf_counter() - start < 4
