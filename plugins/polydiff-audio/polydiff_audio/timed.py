"""What all codecs of sounds share: seconds become frames, and sounds of any rate, length and channels fit a window."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from polydiff.data.codec import Codec
from polydiff.errors import DataError, PolydiffError, UsageError
from polydiff_audio.fitting import fit_to, frames_at
from polydiff_audio.sound import Audible, Sound

Pad = Literal["silence", "mask"]

FITTED = 512
"""How many sounds `fit` measures at most."""

_MOST_SAMPLES = 2**30
"""Of a sound, over its channels: 4 GiB in 32 bits, the most that a WAV file holds."""


class Timed(Codec):
    """A codec whose tensors run along time: one frame for every `hop` samples of the sound.

    Sounds are brought to the codec's rate and channels. Of one longer than the window the start is encoded, and a
    shorter one is followed by silence.

    Parameters
    ----------
    rate
        Sample rate, in Hz.
    duration
        Of the window, in seconds; rounded up to whole frames and to `multiple`.
    channels
        1 for mono, the mean of all channels, or 2 for stereo, left first.
    multiple
        What the number of frames must be a multiple of: the product of the network's factors.
    pad
        Whether the silence after a short sound is learnt: "silence" learns it, "mask" leaves it out of the loss.
    hop
        Samples for each frame.
    height
        Values of one frame of one channel.
    """

    windowed = True

    def __init__(
        self,
        *,
        rate: int,
        duration: float,
        channels: int,
        multiple: int,
        pad: Pad,
        hop: int = 1,
        height: int = 1,
    ) -> None:
        super().__init__()
        if rate < 1:
            raise UsageError(f"rate is {rate}; it must be a number of samples per second, such as 16000")
        if not 0 < duration < float("inf"):
            raise UsageError(f"duration is {duration}; it must be a number of seconds, such as 1.5")
        if channels not in {1, 2}:
            raise UsageError(f"channels is {channels}; say 1 for mono or 2 for stereo")
        if multiple < 1:
            raise UsageError(f"multiple is {multiple}; it must be at least 1")
        if pad not in {"silence", "mask"}:
            raise UsageError(f"pad is '{pad}'; say silence or mask")
        self.rate = rate
        self.sound_channels = channels
        self.multiple = multiple
        self.pad = pad
        self.hop = hop
        self.height = height
        self._frames = self._frames_for(self._samples_for(Fraction(str(float(duration))), f"duration is {duration}"))

    @property
    def channels(self) -> int:
        """The channels of the sound times the values of a frame of each."""
        return self.sound_channels * self.height

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, frames)."""
        return self.channels, self._frames

    def shape_for(self, size: str) -> tuple[int, ...]:
        """Read seconds, "2.5s" or "2.5"; rounded up to whole frames and to `multiple`, which `cut` makes up for."""
        return self.channels, self._frames_for(self._samples_of(size))

    def cut(self, content: Sound, size: str) -> Sound:
        """Give the first so many seconds of a sound, to the nearest sample."""
        return content.cut(0, self._samples_of(size))

    def fit(self, contents: Iterable[Audible]) -> None:
        """Measure the first `FITTED` sounds that can be encoded; where none can, training will say why."""
        self._measure(islice(self._windows(contents), FITTED))

    def encode(self, content: Audible) -> Tensor:
        """Encode the start of a sound.

        Raises
        ------
        DataError
            When the sound is empty, has samples that are not finite float32, or more channels than can become two.
        """
        return self._encode(self._window(content))

    def mask(self, content: Audible) -> Tensor | None:
        """Tell frames that begin within the sound, 1, from padding, 0: (1, frames); `None` where padding is learnt."""
        if self.pad == "silence":
            return None
        return (torch.arange(self._frames) < self._sounding(content)).float()[None]

    def decode(self, x: Tensor) -> list[Sound]:
        """Make sounds of F * `hop` samples of a batch (B, C, F), F as it comes; nothing is clipped.

        Raises
        ------
        PolydiffError
            When `x` is not finite, or the sounds are not.
        """
        _check_finite(x)
        samples = self._decode(x.detach().float())
        _check_finite(samples)
        return [Sound(each, self.rate) for each in samples.cpu().numpy()]

    @abstractmethod
    def _measure(self, windows: Iterable[tuple[Tensor, int]]) -> None:
        """Fit buffers to windows, (channels, frames * hop), each with the number of its frames before the padding."""

    @abstractmethod
    def _encode(self, samples: Tensor) -> Tensor:
        """Encode a window, (channels, frames * hop)."""

    @abstractmethod
    def _decode(self, x: Tensor) -> Tensor:
        """Decode a float32 batch (B, C, F) into samples, (B, channels, F * hop)."""

    def _windows(self, contents: Iterable[Audible]) -> Iterator[tuple[Tensor, int]]:
        for content in contents:
            try:
                window = self._window(content)
            except DataError:
                continue
            yield window, self._sounding(content)

    def _window(self, content: Audible) -> Tensor:
        return torch.from_numpy(fit_to(content, self.rate, self.sound_channels, self._frames * self.hop))

    def _sounding(self, content: Audible) -> int:
        """Count the frames that begin within the sound."""
        return min(self._frames, -(-frames_at(content, self.rate) // self.hop))

    def _samples_of(self, size: str) -> int:
        match = re.fullmatch(r"([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})\s*s?", size.strip())
        if match is None:
            raise UsageError(f"'{size}' is no duration; say 2.5 or 2.5s for two and a half seconds")
        return self._samples_for(Fraction(match[1]), f"the duration is {size}")

    def _samples_for(self, seconds: Fraction, said: str) -> int:
        samples = round(seconds * self.rate)
        most = _MOST_SAMPLES // self.sound_channels
        if not 1 <= samples <= most:
            raise UsageError(f"{said}; at {self.rate} Hz it must be from {1 / self.rate:.2g} to {most // self.rate} s")
        return samples

    def _frames_for(self, samples: int) -> int:
        return -(-samples // (self.hop * self.multiple)) * self.multiple


def _check_finite(values: Tensor) -> None:
    if not values.isfinite().all():
        raise PolydiffError("the samples are not finite: the network has diverged")
