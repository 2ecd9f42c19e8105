"""Sounds written, and read back by soundfile and by hand, with their metadata."""

import io
import json
import math
import struct
import time
import wave

import numpy as np
import pytest
import soundfile
from polydiff_audio import writers
from polydiff_audio.sound import Sound
from polydiff_audio.writers import flac, ogg, wav, wav24, wav32

from polydiff.errors import UsageError

METADATA = {"polydiff": "0.1.0", "conditions": '{"label": "Käse 🧀"}', "caption": "two\nlines", "empty": ""}
EVERY = pytest.mark.parametrize("write", [wav, wav24, wav32, flac, ogg])


def noise(channels=2, frames=4001, level=0.2, rate=16000):
    generator = np.random.default_rng(0)
    return Sound((level * generator.standard_normal((channels, frames))).clip(-1, 1).astype(np.float32), rate)


def opened(data):
    return soundfile.SoundFile(io.BytesIO(data))


def samples(data):
    return opened(data).read(dtype="float32", always_2d=True).T


@pytest.mark.parametrize(
    ("write", "kind", "subtype"),
    [
        (wav, "WAV", "PCM_16"),
        (wav24, "WAV", "PCM_24"),
        (wav32, "WAV", "FLOAT"),
        (flac, "FLAC", "PCM_24"),
        (ogg, "OGG", "VORBIS"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_kind_rate_and_shape(write, kind, subtype, channels):
    file = opened(write(noise(channels), METADATA))
    assert (file.format, file.subtype) == (kind, subtype)
    assert (file.samplerate, file.channels, file.frames) == (16000, channels, 4001)


@EVERY
def test_metadata_are_in_the_comment(write):
    assert json.loads(opened(write(noise(), METADATA)).comment) == METADATA


@EVERY
def test_long_metadata_are_whole(write):
    metadata = {"caption": "word " * 40_000}
    assert json.dumps(metadata).encode() in b"".join(unpaged(write(noise(1, 100), metadata)))


def unpaged(data):
    """Give the bodies of the pages of an Ogg file, and any other file as it is."""
    if not data.startswith(b"OggS"):
        yield data
        return
    while data:
        start = 27 + data[26]
        end = start + sum(data[27:start])
        yield data[start:end]
        data = data[end:]


@pytest.mark.parametrize(("write", "bits"), [(wav, 16), (wav24, 24), (flac, 24)])
def test_levels_are_rounded_to_the_nearest(write, bits):
    sound = noise()
    error = samples(write(sound, {})).astype(np.float64) - sound.samples
    assert np.abs(error).max() <= 2.0**-bits
    assert np.abs(error).max() > 0.9 * 2.0**-bits
    assert abs(error.mean()) < 0.05 * 2.0**-bits


def test_every_level_of_16_bits_comes_back():
    levels = np.arange(-32768, 32768)
    sound = Sound((levels / 32768).astype(np.float32)[None], 8000)
    read = opened(wav(sound, {})).read(dtype="int16")
    assert np.array_equal(read, levels)
    for write in (wav, wav24, flac):
        assert np.array_equal(samples(write(sound, {})), sound.samples)


@pytest.mark.parametrize("write", [wav24, flac])
def test_levels_of_24_bits_come_back(write):
    levels = np.random.default_rng(0).integers(-(2**23), 2**23, 10_000)
    sound = Sound((levels / 2**23).astype(np.float32)[None], 8000)
    assert np.array_equal(samples(write(sound, {})), sound.samples)


def test_floats_come_back_bit_for_bit():
    sound = noise(level=50)
    odd = np.array([[8.5, -1e-30, math.nan, math.inf, -0.0]] * 2, np.float32)
    given = np.concatenate([sound.samples * 30, odd], 1)
    read = samples(wav32(Sound(given, 16000), {}))
    assert read.tobytes() == given.tobytes()


@EVERY
def test_silence_stays_silent(write):
    assert not samples(write(Sound(np.zeros((1, 3000), np.float32), 8000), {})).any()


@pytest.mark.parametrize(("write", "bits"), [(wav, 16), (wav24, 24), (flac, 24)])
def test_integers_clip_at_full_scale(write, bits):
    sound = Sound(np.array([[8.5, 1.0, -1.0, -3.0, math.inf, -math.inf, math.nan, 0.5]], np.float32), 8000)
    most = 1 - 2.0 ** (1 - bits)
    assert samples(write(sound, {})).tolist() == [[most, most, -1, -1, most, -1, 0, 0.5]]


def sine(level, rate=44100):
    return Sound((level * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)[None], rate)


@pytest.mark.parametrize("level", [0.01, 0.9])
def test_ogg_keeps_nearly_the_samples(level):
    given = sine(level)
    error = samples(ogg(given, {})) - given.samples
    assert np.sqrt((error**2).mean()) < 0.02 * level


def test_ogg_clips_at_full_scale():
    """A clipped sine of 10 has, to 1 %, the power of a square wave; unclipped, it would have 50 times that."""
    broken = sine(10.0)
    broken.samples[0, 20_000] = math.nan
    read = samples(ogg(broken, {}))
    assert np.isfinite(read).all()
    assert 0.9 < (read**2).mean() < 1.1


def test_a_long_ogg_does_not_overflow_the_stack_of_its_library():
    frames = 60 * 44100
    quiet = Sound(np.zeros((2, frames), np.float32), 44100)
    assert opened(ogg(quiet, {})).frames == frames


@pytest.mark.parametrize(
    ("write", "sound", "message"),
    [
        (ogg, noise(1, 100, rate=200_001), "no 200001 Hz"),
        (flac, noise(1, 100, rate=700_000), "FLAC holds no 1 channels at 700000 Hz"),
        (flac, noise(9, 100), "FLAC holds no 9 channels"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(write, sound, message):
    with pytest.raises(UsageError, match=message):
        write(sound, {})


def test_the_same_sound_gives_the_same_bytes_at_another_time():
    kinds = (wav, wav24, wav32, flac, ogg)
    first = [write(noise(), METADATA) for write in kinds]
    time.sleep(1.01)  # libsndfile reads the clock by the second
    assert [write(noise(), METADATA) for write in kinds] == first


def test_the_python_library_reads_it():
    with wave.open(io.BytesIO(wav(noise(), METADATA))) as file:
        assert file.getparams()[:4] == (2, 2, 16000, 4001)
        read = np.frombuffer(file.readframes(4001), "<i2").reshape(-1, 2).T
    assert np.array_equal(read, np.rint(noise().samples.astype(np.float64) * 32768))


@pytest.mark.parametrize("write", [wav, wav24, wav32])
@pytest.mark.parametrize("frames", [100, 101])
@pytest.mark.parametrize("text", ["even", "uneven", ""])
def test_chunks_fill_the_file(write, frames, text):
    data = write(noise(1, frames), {"text": text})
    assert struct.unpack_from("<4sI4s", data) == (b"RIFF", len(data) - 8, b"WAVE")
    names, start = [], 12
    while start < len(data):
        name, size = struct.unpack_from("<4sI", data, start)
        names.append(name)
        start += 8 + size + size % 2
    assert start == len(data)
    assert names == [b"fmt ", *([b"fact"] if write is wav32 else []), b"data", b"LIST"]


def test_ogg_pages_have_their_checksums():
    """libogg wrote those of the file as it was; with its own serial number it comes out as it was."""
    within = noise().samples
    data = writers._encoded(within, 16000, "OGG", "VORBIS")
    (serial,) = struct.unpack_from("<I", data, 14)
    assert writers.ogg_pages.with_serial(data, serial) == data
    assert writers.ogg_pages.with_serial(data, serial ^ 1) != data


def test_files_of_different_sounds_can_be_chained():
    """Streams that follow one another in a file need serial numbers of their own."""
    first, second = ogg(noise(1), {}), ogg(noise(1, level=0.1), {})
    assert first[14:18] != second[14:18]
