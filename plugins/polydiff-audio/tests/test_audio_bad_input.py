"""Bad recordings among good ones: training goes on without them and says so, or stops, as asked."""

import re
import struct

import numpy as np
import pytest
import soundfile
import torch
from polydiff_audio.folder import Folder
from polydiff_audio.header import read_header
from polydiff_audio.waveform import Waveform

from polydiff.data.examples import ExampleSet
from polydiff.data.loader import batches
from polydiff.errors import DataError
from polydiff.plugins.host import Host
from polydiff.testing.small_run import build_parts
from polydiff.training.processes import launch
from polydiff.training.record import Run
from polydiff.training.train import train

RATE = 16000
KINDS = [
    ("a.wav", {"subtype": "PCM_U8"}),
    ("a.wav", {"subtype": "PCM_16"}),
    ("a.wav", {"subtype": "PCM_24"}),
    ("a.wav", {"subtype": "FLOAT"}),
    ("a.wav", {"format": "WAVEX"}),
    ("a.wav", {"format": "RF64"}),
    ("a.flac", {}),
    ("a.ogg", {}),
    ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
    ("a.mp3", {}),
]


def sine(frequency=440, rate=RATE, seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def save(path, frames, rate=RATE, **options):
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, frames, rate, **options)
    return path


@pytest.fixture
def good(tmp_path):
    """Make a folder of four good recordings, among them one of 8 bits and one of 96 kHz."""
    save(tmp_path / "flute" / "low.wav", sine())
    save(tmp_path / "flute" / "high.flac", sine(880))
    save(tmp_path / "organ" / "eight bits.wav", sine(220), subtype="PCM_U8")
    save(tmp_path / "organ" / "studio.wav", sine(330, 96000), 96000, subtype="PCM_24")
    return tmp_path


def trained(source, **options):
    """Read three epochs as training does."""
    examples = ExampleSet(source, range(len(source)), Waveform(rate=RATE, duration=0.5), **options)
    count = len(source)
    return list(batches(examples, [range(epoch * count, (epoch + 1) * count) for epoch in range(3)]))


def test_eight_bits_and_96_khz_are_no_bad_input(good):
    source = Folder(good)
    assert (len(source), source.unreadable) == (4, [])
    for index, (frequency, bound) in enumerate([(880, 1e-4), (440, 1e-4), (220, 2**-7), (330, 1e-3)]):
        encoded = ExampleSet(source, [index], Waveform(rate=RATE, duration=0.5))[0].x
        error = encoded[0].numpy() - sine(frequency)
        assert np.abs(error[200:-200]).max() < bound


def zero_length(path):
    save(path, np.zeros(0))
    return "holds no sound: its length is zero"


def no_byte(path):
    path.touch()
    return "is empty"


def text(path):
    path.write_text("I am no sound")
    return "is no sound in a format that is read"


def other_format(path):
    save(path, sine(), format="AIFF")
    return "is a file of the format AIFF; WAV, FLAC, OGG, Opus and MP3 are read"


def seven_channels(path):
    save(path, np.stack([sine()] * 7, axis=1))
    return "has 7 channels, more than two; data.source.channels can be mix, left or right"


def absurdly_slow(path):
    save(path, sine(), 3)
    return "says that it has 3 frames a second; 1000 to 768000 are read"


def absurdly_fast(path):
    save(path, sine(), 4_000_000)
    return "says that it has 4000000 frames a second; 1000 to 768000 are read"


def header_alone(path):
    save(path, sine())
    path.write_bytes(path.read_bytes()[:36])
    return ""


def truncated_wav(path):
    save(path, sine())
    path.write_bytes(path.read_bytes()[:9044])
    return "is truncated: 7000 of its 16000 bytes of sound are missing"


def a_byte_too_few(path):
    save(path, sine(), subtype="PCM_24")
    path.write_bytes(path.read_bytes()[:-1])
    return "is truncated: 1 of its 24000 bytes of sound are missing"


def truncated_ogg(path):
    save(path, sine(seconds=3), format="OGG")
    path.write_bytes(path.read_bytes()[:-100])
    return "is truncated: the end of its last page is missing"


def endless_flac(path):
    """Write a FLAC as a pipe would: 36 bits of its header, the number of frames, are zero."""
    whole = bytearray(save(path, sine(), format="FLAC").read_bytes())
    whole[21] &= 0xF0
    whole[22:26] = bytes(4)
    path.write_bytes(whole)
    return "does not say how long it is; encode it again, to a file rather than a pipe"


AT_THE_SCAN = [
    zero_length,
    no_byte,
    text,
    other_format,
    seven_channels,
    absurdly_slow,
    absurdly_fast,
    header_alone,
    truncated_wav,
    a_byte_too_few,
    truncated_ogg,
    endless_flac,
]


@pytest.mark.parametrize("spoil", AT_THE_SCAN)
def test_what_the_header_shows_is_reported_at_the_scan(good, spoil):
    reason = spoil(good / "organ" / "bad.wav")
    source = Folder(good, rate=RATE)
    (line,) = source.unreadable
    assert line.startswith("organ/bad.wav: ")
    assert line.endswith(reason)
    assert [source.name(index) for index in range(len(source))] == [
        "flute/high.flac",
        "flute/low.wav",
        "organ/eight bits.wav",
        "organ/studio.wav",
    ]
    assert not any(batch.unreadable for batch in trained(source))
    with pytest.raises(DataError, match=re.escape(line)):
        trained(source, on_error="stop")


def nan(path):
    save(path, np.where(np.arange(8000) == 4321, np.nan, sine()), subtype="FLOAT")
    return "has the value nan at frame 4321, channel 1"


def infinity(path):
    frames = np.stack([sine(), sine()], axis=1)
    frames[7999, 1] = -np.inf
    save(path, frames, subtype="DOUBLE")
    return "has the value -inf at frame 7999, channel 2"


def truncated_flac(path):
    save(path, np.random.default_rng(0).uniform(-1, 1, 8000), format="FLAC")
    path.write_bytes(path.read_bytes()[:9000])
    return "cannot be decoded: "


def truncated_mp3(path):
    save(path, np.random.default_rng(0).uniform(-1, 1, 8000), format="MP3", bitrate_mode="CONSTANT")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return "is truncated: "


WHEN_IT_IS_READ = [nan, infinity, truncated_flac, truncated_mp3]


@pytest.mark.parametrize("spoil", WHEN_IT_IS_READ)
@pytest.mark.parametrize("options", [{}, {"rate": 8000}, {"trim": 40.0, "normalize": "loudness"}])
def test_what_only_decoding_shows_is_reported_in_training(good, spoil, options):
    line = "organ/bad.wav: " + spoil(good / "organ" / "bad.wav")
    source = Folder(good, **options)
    assert (len(source), source.unreadable) == (5, [])
    epochs = trained(source)
    assert [batch.x.shape for batch in epochs] == [(5, 1, 8000)] * 3
    assert all(torch.isfinite(batch.x).all() for batch in epochs)
    assert [len(batch.unreadable) for batch in epochs] == [1, 0, 0]  # said once
    assert epochs[0].unreadable[0].startswith(line)
    with pytest.raises(DataError, match=re.escape(line)):
        trained(source, on_error="stop")


@pytest.mark.parametrize(("name", "options"), KINDS)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_no_truncated_file_passes_as_a_shorter_one(tmp_path, name, options, part):
    save(tmp_path / name, np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE), **options)
    assert np.isfinite(Folder(tmp_path)[0].content.samples).all()
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DataError):
        _ = Folder(tmp_path)[0].content.samples


def test_broken_bytes_are_refused_or_read_but_never_crash(tmp_path):
    rng = np.random.default_rng(0)
    for name, options in KINDS[:9]:  # of an MP3, libsndfile complains on the standard error
        whole = save(tmp_path / name, sine(), **options).read_bytes()
        for _ in range(20):
            content = bytearray(whole)
            for place in rng.integers(0, min(len(content), 400), 4):
                content[place] = rng.integers(256)
            (tmp_path / name).write_bytes(content)
            try:
                recording = Folder(tmp_path, channels="mix")[0].content
                assert np.isfinite(recording.cut(0, min(recording.frames, RATE)).samples).all()
            except DataError as error:
                assert str(error)
        (tmp_path / name).unlink()


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFDB])
def test_a_wav_from_a_pipe_is_not_truncated(tmp_path, size):
    path = save(tmp_path / "a.wav", sine())
    whole = bytearray(path.read_bytes())
    whole[40:44] = struct.pack("<I", size)
    path.write_bytes(whole)
    assert read_header(path).frames == 8000


@pytest.mark.parametrize("name", ["mp3.wav", "flac.mp3", "wav.ogg"])
def test_the_content_says_what_a_file_is(tmp_path, name):
    save(tmp_path / name, sine(), format=name.partition(".")[0].upper())
    assert np.abs(Folder(tmp_path)[0].content.samples[0] - sine())[500:-500].max() < 0.05


@pytest.mark.parametrize("channels", ["mix", "left", "right"])
def test_seven_channels_can_be_made_one(tmp_path, channels):
    save(tmp_path / "a.wav", np.stack([sine(200 * k) for k in range(1, 8)], axis=1))
    expected = {"mix": sum(sine(200 * k) for k in range(1, 8)) / 7, "left": sine(200), "right": sine(400)}
    assert np.abs(Folder(tmp_path, channels=channels)[0].content.samples[0] - expected[channels]).max() < 1e-4


def test_a_length_that_is_a_lie_takes_no_memory(good):
    whole = bytearray(save(good / "organ" / "bad.wav", sine(), format="FLAC").read_bytes())
    whole[21] |= 0x0F  # with the next 32 bits, the number of frames
    whole[22:26] = b"\xff" * 4
    (good / "organ" / "bad.wav").write_bytes(whole)
    source = Folder(good)
    content = source[2].content
    assert (source.name(2), content.frames) == ("organ/bad.wav", 2**36 - 1)
    for part in (content, content.cut(2**35, 100)):
        with pytest.raises(DataError):
            _ = part.samples


def test_rates_in_no_simple_ratio_are_reported(good):
    save(good / "organ" / "bad.wav", sine(), 11127)
    (line,) = Folder(good, rate=RATE).unreadable
    assert line.startswith("organ/bad.wav: 11127 Hz cannot be converted to 16000 Hz")


def test_a_label_for_a_missing_file_is_reported(good):
    (good / "metadata.csv").write_text("file_name,label\nflute/low.wav,bass flute\nflute/lost.wav,flute\n")
    source = Folder(good)
    assert source.unreadable == [f"flute/lost.wav: there is no such file ({good}/metadata.csv:3)"]
    assert source.classes == ["bass flute", "flute", "organ"]


def test_a_folder_of_nothing_but_bad_files_is_refused(tmp_path):
    text(tmp_path / "a.wav")
    zero_length(tmp_path / "b.wav")
    with pytest.raises(DataError, match=r"none of its 2 files can be read; b\.wav: holds no sound"):
        Folder(tmp_path)


RECIPE = """
modality: audio
codec: {name: waveform, rate: 16000, duration: 0.064, multiple: 16}
backbone: {name: unet1d, channels: 8, multipliers: [1, 2], factors: 4, blocks: 1, attention: []}
schedule: cosine
prediction: v
data:
  source: {name: folder, rate: 16000, path: .}
  holdout: 0.05
  augment: [{name: crop, seconds: 0.064}]
train: {steps: 2, batch: 32, optimizer: {lr: 1e-3, warmup: 1}, preview: {samples: 1}}
sample: {steps: 2}
"""


@pytest.fixture
def recipe(tmp_path):
    """Make a function that builds the recipe on so many recordings."""
    (tmp_path / "recipe.yaml").write_text(RECIPE)

    def build(count, *overrides):
        for index in range(count):
            save(tmp_path / "few" / f"{index}.wav", sine(100 * (index + 1), seconds=0.05 * (index + 1)))
        return build_parts(str(tmp_path / "recipe.yaml"), [f"data.source.path={tmp_path / 'few'}", *overrides])

    return build


@pytest.mark.parametrize(("count", "overrides"), [(3, []), (1, ["data.holdout=0"])])
def test_a_folder_shorter_than_one_batch_trains(recipe, tmp_path, count, overrides):
    parts = recipe(count, *overrides)
    outcome = train(
        parts, Run(tmp_path / "run", parts.recipe), launch(accelerator="cpu", precision="32-true"), host=Host()
    )
    assert (outcome.reason, outcome.progress.step) == ("finished", 2)


def test_one_recording_cannot_be_held_out_and_trained_on(recipe):
    with pytest.raises(DataError, match=r"1 items, 1 held out: none is left to train on; set data\.holdout=0"):
        recipe(1)
