"""The program espeak-ng."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import soundfile

from polydiff.errors import DataError, UsageError, unknown
from polydiff_audio.sound import Sound

SPEEDS = (80, 450)
"""The fewest and the most words a minute; beyond them it would say nothing and speak at these."""

PITCHES = (0, 99)
"""Its lowest and highest setting of pitch; 50 is a voice's own."""

_LISTED = re.compile(r"\s*(\d+)\s+(\S+)\s+\S+/\S+\s+\S+\s+(\S.*?)\s*((?:\(\S+ \d+\)\s*)*)")
"""A line of its list of voices: priority, language, age/sex, name, file and "(language priority)" of any others."""

_OTHER = re.compile(r"\((\S+) (\d+)\)")


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is said, and how.

    Attributes
    ----------
    voice
        As `find_voices` gives it.
    speed
        Words a minute, within `SPEEDS`.
    pitch
        Within `PITCHES`.
    """

    text: str
    voice: str
    speed: int
    pitch: int


def find_program() -> str:
    """Give the program's path.

    Raises
    ------
    DataError
        When it is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise DataError(
            "espeak-ng is not installed: apt install espeak-ng (Debian, Ubuntu), dnf install espeak-ng (Fedora), "
            "brew install espeak-ng (macOS) or winget install eSpeak-NG.eSpeak-NG (Windows)"
        )
    return program


def speak(utterance: Utterance) -> Sound:
    """Have something said: the same sound each time from the same version of the program.

    Returns
    -------
    Sound
        Mono, at the voice's own rate: 22,050 Hz, but for those of MBROLA.

    Raises
    ------
    DataError
        When the program is missing or fails, with its own words, or when there is nothing to hear.
    """
    manner = ("-v", utterance.voice, "-s", str(utterance.speed), "-p", str(utterance.pitch))
    said = _run(*manner, "-b", "1", "-z", "--stdin", "--stdout", text=utterance.text)
    with soundfile.SoundFile(io.BytesIO(said)) as file:
        samples = file.read(dtype="float32", always_2d=True).T
    if not samples.any():
        raise DataError("there is nothing to be heard")
    return Sound(samples, file.samplerate)


def find_voices(names: Sequence[str]) -> list[str]:
    """Give the program's own, exact names of voices: "gmw/en+f3" for "en-gb+f3".

    Asked for what it does not have, or for a variant of what is not a file's name, the program often takes another
    voice without a word.

    Parameters
    ----------
    names
        What `espeak-ng --voices` lists as languages, "en-gb-scotland", or `espeak-ng --voices=mb` as files, "mb-en1";
        after a "+" a file that `espeak-ng --voices=variant` lists, "en-us+f3".

    Raises
    ------
    UsageError
        When there is none of that name; with the nearest.
    DataError
        When the program is missing or fails, or one of the voices does, as those of MBROLA do where their data lack.
    """
    voices, variants = _voices(), {PurePath(file).name for _, _, file in _listed("variant")}
    found = []
    for name in names:
        base, plus, variant = name.partition("+")
        if base not in voices:
            raise UsageError(unknown("voice of espeak-ng", base, voices))
        if plus and variant not in variants:
            raise UsageError(f"{name}: {unknown('variant of espeak-ng', variant, variants)}")
        voice = voices[base] + plus + variant
        _run("-v", voice, "-q", "--stdin", text="a")
        found.append(voice)
    return found


def _voices() -> dict[str, str]:
    """Give the file of each language and accent, the one of the lowest priority number, and of each MBROLA voice."""
    ranked = sorted(_listed(), key=lambda listed: listed[0], reverse=True)
    voices = {language: file for _, language, file in ranked}
    return {PurePath(file).name: file for _, _, file in _listed("mb")} | voices


def _listed(kind: str | None = None) -> Iterator[tuple[int, str, str]]:
    """Yield priority, language and file of the voices of a kind, for each language that a voice is for."""
    table = _run("--voices" if kind is None else f"--voices={kind}").decode(errors="replace")
    for line in table.splitlines():
        if match := _LISTED.fullmatch(line):  # all but the heading
            priority, language, file, others = match.groups()
            for each, its_priority in [(language, priority), *_OTHER.findall(others)]:
                yield int(its_priority), each, file


def _run(*options: str, text: str = "") -> bytes:
    """Run the program on a text; give what it writes."""
    command = [find_program(), *options]
    run = subprocess.run(command, input=text.encode(), capture_output=True, check=False)  # noqa: S603 - no shell
    if run.returncode:
        words = " ".join(run.stderr.decode(errors="replace").split()) or f"it ended with status {run.returncode}"
        raise DataError(f"espeak-ng {' '.join(options)}: {words}")
    return run.stdout
