"""Recordings: whole, in part, at any rate, of any format."""

import numpy as np
import pytest
import soundfile
from polydiff_audio.header import read_header
from polydiff_audio.recording import Recording
from polydiff_audio.resample import resample

from polydiff.errors import DataError

RATE = 24000
LOSSLESS = [
    ("a.wav", {"subtype": "PCM_U8"}, 2**-7),
    ("a.wav", {"subtype": "PCM_16"}, 2**-15),
    ("a.wav", {"subtype": "PCM_24"}, 2**-23),
    ("a.wav", {"subtype": "PCM_32"}, 2**-24),
    ("a.wav", {"subtype": "FLOAT"}, 0),
    ("a.wav", {"subtype": "DOUBLE"}, 2**-24),
    ("a.wav", {"format": "WAVEX"}, 2**-15),
    ("a.wav", {"format": "RF64"}, 2**-15),
    ("a.flac", {"subtype": "PCM_16"}, 2**-15),
    ("a.flac", {"subtype": "PCM_24"}, 2**-23),
]
LOSSY = [("a.ogg", {}), ("a.oga", {"format": "OGG"}), ("a.opus", {"format": "OGG", "subtype": "OPUS"}), ("a.mp3", {})]
FORMATS = [(name, options) for name, options, _ in LOSSLESS] + LOSSY


def tones(channels=2, frames=RATE, rate=RATE):
    """Make a chord with a different amplitude in each channel, frames x channels."""
    time = np.arange(frames) / rate
    chord = np.sin(2 * np.pi * np.outer(time, [220, 554.4, 1318.5]) + [0, 1, 2]).sum(axis=1)
    return chord[:, None] * np.linspace(0.3, 0.1, channels)


@pytest.fixture
def saved(tmp_path):
    """Make a function that writes a file and gives a recording of it."""

    def save(name, frames, rate=RATE, *, channels="keep", to=None, **options):
        path = tmp_path / name
        soundfile.write(path, frames, rate, **options)
        return Recording.whole(path, read_header(path), channels=channels, rate=to)

    return save


@pytest.mark.parametrize(("name", "options", "step"), LOSSLESS)
def test_lossless_formats_are_read_to_the_last_bit(saved, name, options, step):
    recording = saved(name, tones(), **options)
    assert (recording.rate, recording.channels, recording.frames) == (RATE, 2, RATE)
    assert recording.samples.dtype == np.float32
    assert recording.samples.shape == (2, RATE)
    assert np.abs(recording.samples - tones().T.astype(np.float32)).max() <= step


@pytest.mark.parametrize(("name", "options"), LOSSY)
def test_lossy_formats_are_read_closely(saved, name, options):
    recording = saved(name, tones(), **options)
    assert (recording.rate, recording.frames) == (RATE, RATE)
    error = recording.samples - tones().T
    assert np.sqrt(np.mean(error[:, 1000:-1000] ** 2) / np.mean(tones() ** 2)) < 0.05


@pytest.mark.parametrize(("name", "options"), FORMATS)
@pytest.mark.parametrize("to", [None, 16000, 44100])
def test_a_part_is_that_part_of_the_whole(saved, name, options, to):
    recording = saved(name, tones(), to=to, **options)
    whole = recording.samples
    assert whole.shape == (2, recording.frames)
    ends = [(0, 1), (0, 100), (recording.frames - 1, 1), (recording.frames - 100, 100), (0, recording.frames)]
    middle = [(int(start), 500) for start in np.random.default_rng(0).integers(recording.frames - 500, size=5)]
    for start, frames in ends + middle:
        part = recording.cut(start, frames)
        assert part.samples.shape == (2, part.frames) == (2, frames)
        assert np.abs(part.samples - whole[:, start : start + frames]).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "rate", "frames", "options"),
    [
        ("a.mp3", 24000, 150_000, {"bitrate_mode": "CONSTANT", "compression_level": 0.99}),
        ("a.mp3", 44100, 150_000, {"bitrate_mode": "VARIABLE", "compression_level": 0.5}),
        ("a.ogg", 8000, 310_000, {}),
        ("a.ogg", 16000, 96_000, {}),
        ("a.opus", 16000, 96_000, {"format": "OGG", "subtype": "OPUS"}),
    ],
)
def test_a_part_is_exact_where_libsndfile_seeks_badly(saved, name, rate, frames, options):
    """Silence makes MP3 frames that depend on many before them; into the last page of an Ogg it seeks to elsewhere."""
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((frames, 2)) * 0.1 * (np.sin(6 * np.arange(frames) / rate)[:, None] > 0.6)
    recording = saved(name, sound, rate, **options)
    whole = recording.samples
    for start in [*rng.integers(frames - 500, size=20), *(frames - rng.integers(500, 5000, size=10))]:
        part = recording.cut(int(start), 500).samples
        assert np.abs(part - whole[:, start : start + 500]).max() < 1e-6


def test_a_part_of_a_part(saved):
    recording = saved("a.wav", tones(), to=16000)
    part = recording.cut(1000, 5000).cut(200, 300)
    assert np.abs(part.samples - recording.samples[:, 1200:1500]).max() < 1e-6
    with pytest.raises(AssertionError):
        recording.cut(1000, 5000).cut(4900, 101)


@pytest.mark.parametrize("rate", [11025, 22050, 44100, 96000])
def test_a_recording_is_resampled_as_a_whole_sound_is(saved, rate):
    noise = np.random.default_rng(0).standard_normal((rate // 2, 2)).astype(np.float32)
    recording = saved("a.wav", noise, rate, to=16000, subtype="FLOAT")
    expected = resample(noise.T, rate, 16000)
    assert np.array_equal(recording.samples, expected)
    assert np.abs(recording.cut(3001, 2000).samples - expected[:, 3001:5001]).max() < 1e-5


def test_a_part_is_all_that_is_read(saved, monkeypatch):
    recording = saved("a.wav", tones(frames=60 * RATE), to=16000)
    read, counts = soundfile.SoundFile.read, []

    def counted(self, frames=-1, **options):
        counts.append(frames)
        return read(self, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    part = recording.cut(30 * 16000, 16000)
    assert counts == []
    assert part.samples.shape == (2, 16000)
    assert part.samples is part.samples  # read once
    (count,) = counts
    assert RATE <= count < RATE + 500


@pytest.mark.parametrize("channels", [1, 2, 7])
def test_channels_are_mixed_or_chosen(saved, channels):
    frames = tones(channels).astype(np.float32)
    expected = {"mix": frames.mean(axis=1), "left": frames[:, 0], "right": frames[:, min(1, channels - 1)]}
    for policy, samples in expected.items():
        recording = saved("a.wav", frames, channels=policy, subtype="FLOAT")
        assert recording.channels == 1
        assert recording.samples.shape == (1, RATE)
        assert np.allclose(recording.samples[0], samples, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 2])
def test_one_or_two_channels_are_kept(saved, channels):
    recording = saved("a.wav", tones(channels))
    assert recording.channels == channels == len(recording.samples)


def test_more_than_two_channels_cannot_be_kept(saved):
    with pytest.raises(DataError, match=r"has 7 channels.*data\.source\.channels can be mix, left or right"):
        saved("a.wav", tones(7))


def test_names_need_not_be_unicode(tmp_path):
    soundfile.write(tmp_path / "a.wav", tones(), RATE)
    path = (tmp_path / "a.wav").rename(tmp_path / "b\udcff ü 音.wav")
    assert Recording.whole(path, read_header(path)).samples.shape == (2, RATE)


def test_a_file_that_has_changed_is_not_taken_for_what_it_was(saved, tmp_path):
    recording = saved("a.wav", tones())
    saved("a.wav", tones(frames=RATE // 2))
    with pytest.raises(DataError, match="has changed since it was first looked at"):
        _ = recording.samples


def test_a_file_that_has_gone_is_reported(saved):
    recording = saved("a.wav", tones())
    recording.path.unlink()
    with pytest.raises(DataError, match="cannot be opened: No such file or directory"):
        _ = recording.samples
