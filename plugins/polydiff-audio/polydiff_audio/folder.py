"""A folder of recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import floor, inf
from pathlib import Path
from typing import Any

from polydiff.data.cache import Cache
from polydiff.data.example import Example
from polydiff.data.file import File, identity
from polydiff.data.folder import FolderSource
from polydiff.data.shards import sharded
from polydiff.data.tables import hugging_face, parquet, tabled
from polydiff.errors import DataError, UsageError
from polydiff_audio.header import HIGHEST_RATE, LOWEST_RATE, SUFFIXES, Header, read_header
from polydiff_audio.loudness import Measure, normalise
from polydiff_audio.recording import Channels, Recording
from polydiff_audio.sound import Audible, Samples, Sound
from polydiff_audio.trimming import trim

_LEVELS: dict[Measure, float] = {"peak": -1.0, "loudness": -23.0}
"""In dB of full scale, where most players still have room, and in LUFS (EBU R 128)."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Frames of a file that are an item; `time`, in seconds, is where they start unless the file is one item."""

    file: int
    start: int
    frames: int
    time: float | None


class Folder(FolderSource):
    """The WAV, FLAC, OGG, Opus and MP3 files of a folder and its sub-folders.

    Without `trim`, `normalize` and `cache` a recording is read when, and as far as, it is used: a `crop` of a second
    takes a second of an hour.

    Parameters
    ----------
    path
        The folder. The sub-folder that a recording lies in is its label, unless `metadata.jsonl` or `metadata.csv`
        (columns `file_name`, `label`, `caption` and any more) says otherwise.
    rate
        In Hz; recordings are converted to it. `None` leaves each its own, for the codec to convert.
    channels
        `keep` leaves mono and stereo as they are, for the codec to make one of the other; recordings of more channels
        are refused. `mix` is the mean of all channels; `left` and `right` are one of the first two, and of a mono
        recording that recording.
    window
        Seconds. A longer recording is divided into items of that length, named `name.wav@12s` after the second that
        they begin at; the rest makes an item if it is at least half as long. Items of one recording are held out as
        any others are; `data.validation`, a folder of its own, keeps recordings apart.
    trim
        Cut what is more than so many dB below the loudest 10 ms at both ends of an item; 40 suits most.
    normalize
        Scale each item to one `peak` or to one `loudness` (ITU-R BS.1770-4).
    level
        For `normalize`: the peak in dB of full scale, by default -1, or the loudness in LUFS, by default -23.
    cache
        A folder in which items are kept as they are after all of the above; it is made when it is not there, and can be
        emptied at any time. A minute of mono at 16 kHz takes 4 MB.
    max_seconds
        With `trim`, `normalize` or `cache`, for which an item is read as a whole, longer ones are refused.
    """

    def __init__(
        self,
        path: Path,
        rate: int | None = None,
        channels: Channels = "keep",
        window: float | None = None,
        trim: float | None = None,
        normalize: Measure | None = None,
        level: float | None = None,
        cache: Path | None = None,
        max_seconds: float = 3600,
    ) -> None:
        _check_options(rate, window, trim, normalize, level, max_seconds)
        self.rate = rate
        self.channels = channels
        self.window = window
        self.trim = trim
        self.normalize = normalize
        self.level = _LEVELS[normalize or "peak"] if level is None else level
        self.cache = None if cache is None else Cache(Path(cache).expanduser())
        self.max_seconds = max_seconds
        self._headers: dict[File, Header] = {}
        super().__init__(path, SUFFIXES)
        self._parts = [part for file in range(len(self._files)) for part in self._divided(file)]

    def check(self, path: File) -> None:
        """Read a file's header."""
        header = read_header(path)
        recording = self._recording(path, header)
        seconds = min(recording.frames / recording.rate, self.window or inf)
        if self._whole and seconds > self.max_seconds:
            ways = "data.source.window divides it, data.source.max_seconds allows it"
            raise DataError(f"is {seconds:.0f} s long, more than {self.max_seconds:g}; {ways}")
        self._headers[path] = header

    def read(self, path: File) -> Recording:
        """Give all of a file, not yet read."""
        return self._recording(path, self._headers[path])

    def __len__(self) -> int:
        """Count the items: files, or parts of files."""
        return len(self._parts)

    def __getitem__(self, index: int) -> Example:
        """Give an item; raise `DataError`, with its name, when it is read here and that fails."""
        part, name = self._parts[index], self.name(index)
        example = super().__getitem__(part.file)
        try:
            content = self._content(example.content.cut(part.start, part.frames))
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        return replace(example, content=content, name=name)

    def name(self, index: int) -> str:
        """Give a file's path in the folder, and which part of it the item is."""
        part = self._parts[index]
        return super().name(part.file) + ("" if part.time is None else f"@{part.time:.10g}s")

    def label(self, index: int) -> str | None:
        """Give the label of an item's file."""
        return super().label(self._parts[index].file)

    def identity(self, index: int) -> dict[str, Any]:
        """Say all that an item depends on beside the options."""
        part = self._parts[index]
        return {**super().identity(part.file), "start": part.start, "frames": part.frames}

    def file(self, index: int) -> File | None:
        """Give the file that is all of an item, unless it is divided."""
        part = self._parts[index]
        return super().file(part.file) if part.time is None else None

    @property
    def _whole(self) -> bool:
        """Whether items are more than what their files hold, and are therefore made as a whole."""
        return self.trim is not None or self.normalize is not None or self.cache is not None

    def _recording(self, path: File, header: Header) -> Recording:
        return Recording.whole(path, header, channels=self.channels, rate=self.rate)

    def _divided(self, file: int) -> Iterator[_Part]:
        recording = self.read(self._files[file].path)
        length = recording.frames if self.window is None else self.window * recording.rate
        count = max(1, floor(recording.frames / length + 0.5))
        for place in range(count):
            start, stop = round(place * length), min(round((place + 1) * length), recording.frames)
            time = None if self.window is None or count == 1 else place * self.window
            yield _Part(file, start, stop - start, time)

    def _content(self, recording: Recording) -> Audible:
        if not self._whole:
            return recording
        if self.cache is None:
            return Sound(self._made(recording), recording.rate)
        kept = self.cache.arrays(self._key(recording), lambda: {"samples": self._made(recording)})
        return Sound(kept["samples"], recording.rate)

    def _made(self, recording: Recording) -> Samples:
        samples = recording.samples
        if self.trim is not None:
            samples = trim(samples, recording.rate, self.trim)
        if self.normalize is not None:
            samples = normalise(samples, recording.rate, self.normalize, self.level)
        return samples

    def _key(self, recording: Recording) -> dict[str, Any]:
        """Say all that an item depends on."""
        return {
            **identity(recording.path),
            "rate": recording.rate,
            "channels": recording.policy,
            "start": recording.start,
            "frames": recording.frames,
            "trim": self.trim,
            "normalize": self.normalize,
            "level": self.level,
        }


WebDataset = sharded(Folder)
Parquet = tabled(Folder, parquet)
HuggingFace = tabled(Folder, hugging_face)


def _check_options(
    rate: int | None,
    window: float | None,
    trim: float | None,
    normalize: str | None,
    level: float | None,
    max_seconds: float,
) -> None:
    """Raise `UsageError` for what lies out of range."""
    if rate is not None and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UsageError(f"rate is {rate}; it can be from {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    if window is not None and not 0.01 <= window < inf:
        raise UsageError(f"window is {window:g}; it must be a length in seconds, at least 0.01")
    if trim is not None and not trim > 0:
        raise UsageError(f"trim is {trim:g}; it must be above 0 dB")
    if level is not None and normalize is None:
        raise UsageError("level is for normalize, which is not set; it can be peak or loudness")
    if level is not None and not -70 < level <= 0:
        raise UsageError(f"level is {level:g}; it must be above -70 and at most 0")
    if not max_seconds > 0:
        raise UsageError(f"max_seconds is {max_seconds:g}; it must be above 0")
