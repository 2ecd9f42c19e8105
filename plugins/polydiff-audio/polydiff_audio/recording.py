"""Recordings: sounds in files, of which only what is asked for is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd
from typing import Literal, Self

import numpy as np

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_audio.header import Header, header_of, open_sound
from polydiff_audio.resample import check_rates, reach, resample, resampled_frames
from polydiff_audio.sound import Samples

Channels = Literal["keep", "mix", "left", "right"]
"""What becomes of the channels of a file: all stay, their mean, or one of the first two."""

_MP3_RUN_UP = 2**16
"""Frames. An MP3 frame may take bits from up to 511 bytes before it, and those of silence are as short as 3 bytes."""

_OGG_END = 2**18
"""Frames: more than the last page of an Ogg Vorbis file holds. Into that page libsndfile seeks wrongly (its #885)."""


@dataclass(frozen=True)
class Recording:
    """A part of a file's sound, at a rate and with channels of choice: an `Audible` that is read when it is needed.

    Cutting it reads nothing, and what is read of a part is equal, but for rounding, to that part of the whole.

    Attributes
    ----------
    header
        As it was when the file was first looked at.
    rate
        In Hz; the file's sound is converted to it.
    start, frames
        Of the part, at that rate.
    """

    path: File
    header: Header
    policy: Channels
    rate: int
    start: int
    frames: int

    @classmethod
    def whole(cls, path: File, header: Header, *, channels: Channels = "keep", rate: int | None = None) -> Self:
        """Make a recording of all of a file.

        Parameters
        ----------
        rate
            `None` leaves the file's.

        Raises
        ------
        DataError
            When the file has more channels than can be kept, or a rate that cannot be converted.
        """
        rate = header.rate if rate is None else rate
        if channels == "keep" and header.channels > 2:
            choices = "data.source.channels can be mix, left or right"
            raise DataError(f"has {header.channels} channels, more than two; {choices}")
        check_rates(header.rate, rate)
        return cls(path, header, channels, rate, 0, resampled_frames(header.frames, header.rate, rate))

    @property
    def channels(self) -> int:
        """1 or 2."""
        return self.header.channels if self.policy == "keep" else 1

    @cached_property
    def samples(self) -> Samples:
        """Read the part.

        Raises
        ------
        DataError
            With the reason: the file is gone, has changed, is broken or truncated, or a value is not finite.
        """
        common = gcd(self.header.rate, self.rate)
        step, to_step = self.header.rate // common, self.rate // common
        margin = reach(self.header.rate, self.rate)
        # Begun at a multiple of `step`, the part's frames fall on the times of the whole's.
        first = max(0, self.start * step // to_step - margin) // step
        last = (self.start + self.frames - 1) * step // to_step + margin
        read = self._read(first * step, min(last + 1, self.header.frames))
        offset = self.start - first * to_step
        return resample(read, self.header.rate, self.rate)[:, offset : offset + self.frames]

    def cut(self, start: int, frames: int) -> Self:
        """Give the part from frame `start`, which is read when it is needed; both ends lie within the sound."""
        assert 0 <= start <= start + frames <= self.frames, "a part outside of the sound"
        return replace(self, start=self.start + start, frames=frames)

    def _read(self, start: int, stop: int) -> Samples:
        """Read frames of the file, as they stand there."""
        with open_sound(self.path) as file:
            if header_of(file) != self.header:
                raise DataError("has changed since it was first looked at")
            begin = _seekable(file.format, start, self.header.frames)
            file.seek(begin)
            try:
                frames = file.read(stop - begin, dtype="float32", always_2d=True)[start - begin :]
            except MemoryError:
                raise DataError(f"has {stop - begin} frames to read at once, too many for this machine") from None
        if len(frames) < stop - start:
            there = f"{start + len(frames)} of its {self.header.frames} frames are there"
            raise DataError(f"is truncated: {there}")
        if not np.isfinite(frames).all():
            frame, channel = np.argwhere(~np.isfinite(frames))[0]
            raise DataError(f"has the value {frames[frame, channel]} at frame {start + frame}, channel {channel + 1}")
        return np.ascontiguousarray(self._chosen(frames).T)

    def _chosen(self, frames: Samples) -> Samples:
        """Apply the policy: (frames, channels) -> (frames, 1 or 2)."""
        match self.policy:
            case "keep":
                return frames
            case "mix":
                mean: Samples = frames.mean(axis=1, keepdims=True)
                return mean
            case "left":
                return frames[:, :1]
            case "right":  # of a mono recording both sides are the same
                return frames[:, 1:2] if frames.shape[1] > 1 else frames


def _seekable(kind: str, start: int, frames: int) -> int:
    """Give the nearest frame before `start` from which a file of that format is decoded as from its beginning."""
    match kind:
        case "MP3":
            return max(0, start - _MP3_RUN_UP)
        case "OGG":
            return max(0, min(start, frames - _OGG_END))
    return start
