"""Sounds as points, so that sets of them can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from polydiff.errors import DataError, UsageError, nearest
from polydiff.torchaudio_loader import load_torchaudio
from polydiff_audio.resample import resample
from polydiff_audio.sound import Audible, Sound

BATCH = 32
"""Sounds of one length that are embedded together."""

_BANDS, _WINDOW, _HOP, _FLOOR = 32, 0.032, 0.010, -80.0
"""Of `log_mel`: number, seconds, seconds, and decibels below a sine at full scale."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """A function from sounds to points, and what a record says of it.

    Attributes
    ----------
    name
        What people know it by.
    rate
        The sample rate in Hz at which it takes sounds.
    function
        From (B, N) float32, mono, full scale [-1, 1], to (B, d); a `torch.nn.Module` is one.
    details
        Whatever else the points depend on, as JSON has it.
    """

    name: str
    rate: int
    function: Callable[[Tensor], Tensor]
    details: Mapping[str, Any] = field(default_factory=dict)


def find_embedding(embedding: Embedding | str | Path) -> Embedding:
    """Give an embedding itself, `log_mel` for "log-mel", or that of a `transformers` model in a folder.

    Raises
    ------
    UsageError
        When there is no such name and no such folder, or the folder holds no model of sounds.
    """
    if isinstance(embedding, Embedding):
        return embedding
    if embedding == "log-mel":
        return log_mel()
    if not Path(embedding).is_dir():
        raise UsageError(f"'{embedding}' is no embedding and no folder; {nearest(str(embedding), ['log-mel'])}")
    from polydiff_audio.pretrained import pretrained  # noqa: PLC0415 - transformers takes seconds and is optional

    return pretrained(Path(embedding))


def log_mel(rate: int = 16000) -> Embedding:
    """Give the embedding by statistics of the spectrum: no model, nothing to download.

    Of each of 32 mel bands: the mean of its level in dB over time, its standard deviation, and the standard deviation
    of its change from one hundredth of a second to the next. It hears timbre, loudness and how much they change, and
    is deaf to the order in which things happen.
    """
    window = round(_WINDOW * rate)
    hop = round(_HOP * rate)
    spectrogram = load_torchaudio().transforms.MelSpectrogram(
        rate, window, hop_length=hop, n_mels=_BANDS, pad_mode="constant"
    )
    full_scale = spectrogram.spectrogram.window.sum() ** 2 / 4

    def statistics(waveforms: Tensor) -> Tensor:
        powers = spectrogram(functional.pad(waveforms, (0, max(0, hop - waveforms.shape[1]))))
        levels = 10 * (powers / full_scale).clamp(min=10 ** (_FLOOR / 10)).log10()
        changes = levels.diff(dim=2)
        return torch.cat([levels.mean(2), levels.std(2, correction=0), changes.std(2, correction=0)], 1)

    details = {"bands": _BANDS, "window": window, "hop": hop, "floor_db": _FLOOR}
    return Embedding("log-mel", rate, statistics, details)


def embed(embedding: Embedding, sounds: Sequence[Audible], side: str) -> Tensor:
    """Embed sounds, of several channels their mean, at the embedding's sample rate.

    Parameters
    ----------
    side
        What they are, for messages: "generated" or "real".

    Returns
    -------
    (n, d) float64.

    Raises
    ------
    DataError
        When there is none, or one has no samples or some that are not finite.
    UsageError
        When the function does not give one point a sound, or is a module in training mode.
    """
    function = embedding.function
    if isinstance(function, nn.Module) and function.training:
        raise UsageError(f"embedding '{embedding.name}' is in training mode; call its eval()")
    heard = checked(sounds, side)
    waveforms = [resample(each.samples.mean(0, keepdims=True), each.rate, embedding.rate)[0] for each in heard]
    points: dict[int, Tensor] = {}
    with torch.inference_mode():
        for places in _batches([len(waveform) for waveform in waveforms]):
            batch = torch.from_numpy(np.stack([waveforms[place] for place in places]))
            given = function(batch)
            if given.ndim != 2 or len(given) != len(places):
                shapes = f"{tuple(given.shape)} of {tuple(batch.shape)}"
                raise UsageError(f"embedding '{embedding.name}' makes {shapes}, not one row a sound")
            points.update(zip(places, given.double().cpu(), strict=True))
    return torch.stack([points[place] for place in range(len(waveforms))])


def checked(sounds: Sequence[Audible], side: str) -> list[Sound]:
    """Read sounds.

    Raises
    ------
    DataError
        When there is none, or one has no samples or some that are not finite.
    """
    if not sounds:
        raise DataError(f"there are no {side} sounds")
    heard = [Sound(each.samples, each.rate) for each in sounds]
    for place, sound in enumerate(heard):
        if not sound.frames:
            raise DataError(f"{side} sound {place} has no samples")
        if not np.isfinite(sound.samples).all():
            raise DataError(f"{side} sound {place} has samples that are not finite")
    return heard


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group places by length, at most `BATCH` together."""
    by_length: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        by_length.setdefault(length, []).append(place)
    for places in by_length.values():
        yield from (places[start : start + BATCH] for start in range(0, len(places), BATCH))
