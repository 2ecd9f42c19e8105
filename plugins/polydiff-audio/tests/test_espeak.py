"""Speech by espeak-ng, and by a stand-in for it that does as told."""

import io
import os
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
import torch
from polydiff_audio.espeak import Espeak
from polydiff_audio.espeak_ng import Utterance, find_voices, speak
from polydiff_audio.pitch import pitch
from polydiff_audio.waveform import Waveform

from polydiff.data.examples import ExampleSet
from polydiff.data.loader import batches
from polydiff.data.source import Source
from polydiff.errors import DataError, UsageError

WORDS = ("one", "seven", "eleven")
RATE = 22050

real = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="the program espeak-ng is not installed")
posix = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")

HEADING = "Pty Language       Age/Gender VoiceName          File                 Other Languages\n"
LISTS = {
    "--voices": f"""{HEADING}\
 2  en-gb           --/M      English_(Great_Britain) gmw/en               (en 2)
 2  en-us           --/M      English_(America)  gmw/en-US            (en 3)
 5  fr-fr           --/M      French_(France)    roa/fr               (fr 5)
 6  fr-be           35/F      French_(Belgium)   roa/fr-BE            (fr 8)
""",
    "--voices=mb": f"{HEADING} 5  en-us           --/M      us-mbrola-2        mb/mb-us2            (en 7)\n",
    "--voices=variant": f"""{HEADING}\
 5  variant         --/F      female3            !v/f3
 5  variant         --/M      Mr_Serious         !v/Mr serious
 5  variant         --/M      Storm              !v/Storm             (en-us 5)
""",
}


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Make a function that installs a program `espeak-ng` that lists some voices and otherwise runs a line of shell.

    It gives a function that tells with which options that line has run, in the order of the runs.
    """
    said = io.BytesIO()
    soundfile.write(said, np.full(2205, 0.5), RATE, format="WAV")
    (tmp_path / "said.wav").write_bytes(said.getvalue())
    log = tmp_path / "log"

    def install(line="/bin/cat said.wav"):
        for option, text in LISTS.items():
            (tmp_path / option).write_text(text)
        program = tmp_path / "espeak-ng"
        listing = 'case "$1" in --voices*) exec /bin/cat < ./$1;; esac'
        program.write_text("\n".join(["#!/bin/sh", f'cd "{tmp_path}"', listing, 'echo "$@" >> log', line, ""]))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return lambda: log.read_text().splitlines() if log.exists() else []

    return install


def independently(*options):
    """Have the program speak; give the samples, without the pause after a sentence."""
    run = subprocess.run(["espeak-ng", "-z", "--stdout", *options], capture_output=True, check=True)
    samples, rate = soundfile.read(io.BytesIO(run.stdout), dtype="float32")
    assert rate == RATE
    return samples


def manners(source):
    return [tuple(source[i].attributes.values()) for i in range(len(source))]


def only(**options):
    """Speak a single clip, "seven", at fixed speed and pitch where they are not given."""
    options = {"speeds": (170, 170), "pitches": (50, 50)} | options
    return Espeak(("seven",), **options)[0].content


@real
def test_clips_take_the_words_in_turn():
    source = Espeak(WORDS, count=7)
    assert isinstance(source, Source)
    assert (len(source), source.classes) == (7, ["one", "seven", "eleven"])
    assert [source.label(i) for i in range(7)] == [*WORDS, *WORDS, "one"]
    example = source[4]
    assert (example.label, example.caption) == ("seven", "seven, spoken by en-us")
    assert example.name == source.name(4) == "clip 4, 'seven'"
    assert list(example.attributes) == ["voice", "speed", "pitch"]


@real
def test_a_clip_is_what_the_program_says_without_the_silence_around_it():
    sound, said = only(pitches=(40, 40)), independently("-v", "en-us", "-s", "170", "-p", "40", "--", "seven")
    start = int(np.correlate(said, sound.samples[0], "valid").argmax())
    end = start + sound.frames
    assert (sound.rate, sound.channels) == (RATE, 1)
    assert np.array_equal(said[start:end], sound.samples[0])
    cut_off = np.concatenate((said[:start], said[end:]))
    assert len(cut_off)
    assert np.abs(cut_off).max() < 0.01 * np.abs(said).max()


@real
def test_clips_come_at_the_rate_asked_for():
    slow, own = only(rate=8000), only()
    assert slow.rate == 8000
    assert slow.frames == -(-own.frames * 8000 // RATE)


@real
def test_voice_speed_and_pitch_depend_on_seed_and_index_alone():
    options = {"voices": ("en-us", "en-gb", "de"), "speeds": (100, 300), "pitches": (10, 90)}
    few, many, other = (Espeak(words, count=n, **options) for words, n in ((WORDS, 4), (("no",), 40), (WORDS, 5)))
    drawn = manners(many)
    assert manners(few) == drawn[:4]
    assert manners(other)[:4] == drawn[:4]
    assert manners(Espeak(WORDS, count=4, seed=1, **options)) != drawn[:4]
    voices, speeds, pitches = map(set, zip(*drawn, strict=True))
    assert voices == {"en-us", "en-gb", "de"}
    assert min(speeds) in range(100, 130)
    assert max(speeds) in range(270, 301)
    assert min(pitches) in range(10, 25)
    assert max(pitches) in range(75, 91)


@real
def test_limits_belong_to_the_range():
    assert {speed for _, speed, _ in manners(Espeak(("a",), speeds=(200, 201), count=20))} == {200, 201}


@real
def test_speed_and_pitch_can_be_heard():
    lengths = [only(speeds=(speed, speed)).frames for speed in (120, 240)]
    assert lengths[0] > 1.5 * lengths[1]
    low, high = (pitch(only(pitches=(level, level)).samples, RATE) for level in (20, 80))
    assert 5 < high - low < 24


@real
@pytest.mark.parametrize(("voice", "exact"), [("en-gb+f3", "gmw/en+f3"), ("fr-fr+m3", "roa/fr+m3")])
def test_a_variant_is_heard_where_the_program_would_pass_over_it(voice, exact):
    varied, plain = only(voices=(voice,)).samples, only(voices=(voice.partition("+")[0],)).samples
    said = independently("-v", exact, "-s", "170", "-p", "50", "--", "seven")
    start = int(np.correlate(said, varied[0], "valid").argmax())
    assert np.array_equal(said[start : start + varied.shape[1]], varied[0])
    assert not np.array_equal(varied, plain)


@real
@pytest.mark.parametrize("text", ["--version", "-v de", "$(echo a); `b` 'c' \"d\"", "naïve Straße", "two\nlines", "\\"])
def test_any_text_is_text(text, tmp_path):
    (tmp_path / "text").write_bytes(text.encode())
    expected = independently("-v", "gmw/en-US", "-s", "170", "-p", "50", "-f", str(tmp_path / "text"))
    assert np.array_equal(speak(Utterance(text, "gmw/en-US", 170, 50)).samples[0], expected)


@real
def test_what_cannot_be_heard_is_refused_and_the_rest_is_spoken():
    source = Espeak(("one", "   "))
    assert source[0].content.frames > 1000
    with pytest.raises(DataError, match="clip 1, '': there is nothing to be heard"):
        source[1]


@posix
def test_lines_of_a_file_are_texts(stand_in, tmp_path):
    stand_in()
    file = tmp_path / "lines.txt"
    file.write_bytes("\ufeffHello there.\r\n\n  Hej då! \n".encode())
    source = Espeak(lines=file)
    assert [source[i].label for i in range(len(source))] == ["Hello there.", "Hej då!"]
    assert source.classes == ["Hello there.", "Hej då!"]


@posix
def test_long_texts_have_short_names(stand_in):
    stand_in()
    assert Espeak((" ".join(["word"] * 40),)).name(0) == f"clip 0, '{'word ' * 10}word [...]'"


@posix
def test_every_clip_is_spoken_once(stand_in):
    runs = stand_in()
    source = Espeak(WORDS, count=30)
    tried = len(runs())
    for index in (7, 0, 29, 7):
        assert source[index].content.frames == 2205
    assert len(runs()) == tried + 30


@posix
def test_the_program_is_told_voice_speed_and_pitch(stand_in):
    runs = stand_in()
    Espeak(("a",), voices=("en-gb+Mr serious",), speeds=(90, 90), pitches=(7, 7))[0]
    assert runs()[-1].startswith("-v gmw/en+Mr serious -s 90 -p 7 ")


@posix
def test_loading_processes_read_the_same(stand_in):
    stand_in()
    codec = Waveform(rate=RATE, duration=0.1)
    source = Espeak(WORDS, count=12)
    examples = ExampleSet(source, range(12), codec=codec, prepare={}, seed=0)
    positions = [range(0, 6), range(6, 12)]
    here, elsewhere = (list(batches(examples, positions, workers=workers)) for workers in (0, 2))
    for mine, theirs in zip(here, elsewhere, strict=True):
        assert torch.equal(mine.x, theirs.x)
        assert mine.x.abs().max() > 0


@posix
def test_languages_stand_for_their_first_voice(stand_in):
    stand_in()
    names = ["en", "en-us", "fr", "fr-be+f3", "en+Storm", "mb-us2"]
    assert find_voices(names) == ["gmw/en", "gmw/en-US", "roa/fr", "roa/fr-BE+f3", "gmw/en+Storm", "mb/mb-us2"]


@posix
@pytest.mark.parametrize(
    ("voice", "message"),
    [
        ("en-uss", "unknown voice of espeak-ng 'en-uss'; did you mean 'en-us'?"),
        ("en-us+f33", r"en-us\+f33: unknown variant of espeak-ng 'f33'; did you mean 'f3'?"),
        ("en-us+", "unknown variant of espeak-ng ''"),
        ("", "unknown voice of espeak-ng ''"),
    ],
)
def test_what_is_no_voice_is_refused(stand_in, voice, message):
    stand_in()
    with pytest.raises(UsageError, match=message):
        Espeak(WORDS, voices=("en-us", voice))


@posix
def test_a_voice_that_does_not_work_is_refused_with_the_programs_words(stand_in):
    stand_in("echo 'Cannot find MBROLA voice file' >&2; exit 1")
    with pytest.raises(DataError, match=r"espeak-ng -v mb/mb-us2 .*: Cannot find MBROLA voice file"):
        Espeak(WORDS, voices=("mb-us2",))


@posix
@pytest.mark.parametrize(
    ("line", "message"),
    [("echo 'out of\nluck' >&2; exit 3", "out of luck"), ("exit 3", "it ended with status 3")],
)
def test_a_failure_comes_with_the_clips_name(stand_in, line, message):
    stand_in(f'case "$*" in *-q*) exit 0;; esac\n{line}')
    source = Espeak(WORDS)
    with pytest.raises(DataError, match=f"clip 1, 'seven': espeak-ng -v gmw/en-US .*: {message}"):
        source[1]


def test_the_packages_name_is_given_when_the_program_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"espeak-ng is not installed: apt install espeak-ng .* brew install espeak-ng"):
        Espeak(WORDS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either words or lines"),
        ({"words": WORDS, "lines": "a.txt"}, "give either words or lines"),
        ({"words": WORDS, "voices": ()}, "at least one is needed"),
        ({"words": WORDS, "speeds": (200, 100)}, r"speeds \[200, 100\]: give the lower and the upper limit"),
        ({"words": WORDS, "speeds": (79, 100)}, r"within \[80, 450\]"),
        ({"words": WORDS, "pitches": (0, 100)}, r"pitches \[0, 100\]: .* within \[0, 99\]"),
        ({"words": WORDS, "count": 0}, "count 0: at least one clip"),
        ({"words": WORDS, "rate": 0}, "rate 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Espeak(**options)


@posix
@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b" \n\n", "every line is blank"), (b"\xff\xfe\x00", "is not UTF-8 text")],
)
def test_files_that_are_no_lines_are_refused(stand_in, tmp_path, content, message):
    stand_in()
    if content is not None:
        (tmp_path / "lines.txt").write_bytes(content)
    with pytest.raises(DataError, match=rf"lines\.txt: {message}"):
        Espeak(lines=tmp_path / "lines.txt")
