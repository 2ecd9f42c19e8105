"""Conditioning on a sound, as tokens of its mel spectrogram: so that a picture, or anything else, can follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from polydiff.conditioning.conditioner import Conditioner, FactSource, absent, known_facts
from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import DataError, UsageError
from polydiff.nn.transformer import TransformerLayer
from polydiff_audio.header import read_header
from polydiff_audio.mel import Mel
from polydiff_audio.recording import Recording

MEASURED = 256
"""Sounds from which the center and the scale are taken, spread evenly over the data."""

_SCALE = 0.5
"""The standard deviation of the learned places."""


class SoundTokens(Conditioner):
    """A token for every `patch` frames of a log-mel spectrogram, by a small transformer, and their mean as a vector.

    Of a sound longer than `duration` the start is taken; what lies after a shorter one is masked out. Raw values are
    spectrograms, (frames, n_mels), of as many frames as the sound has. A fact is a sound, or the path of one's file.

    Parameters
    ----------
    rate, duration, n_fft, hop, n_mels
        Of the spectrogram, as for the codec `mel`.
    patch
        Frames in a token.
    center, scale
        Of the log magnitudes in the training data; measured when left out.
    width
        Of a token and of the vector, a multiple of 32.
    layers
        Of the transformer.
    pooled
        Whether the tokens' mean is given as a vector, too.

    Raises
    ------
    UsageError
        When an option is out of its range.
    """

    def __init__(
        self,
        *,
        rate: int = 16000,
        duration: float = 1.0,
        n_fft: int = 512,
        hop: int = 128,
        n_mels: int = 64,
        patch: int = 4,
        center: float | None = None,
        scale: float | None = None,
        width: int = 128,
        layers: int = 2,
        pooled: bool = True,
    ) -> None:
        super().__init__()
        if patch < 1 or width < 1 or layers < 0 or (scale is not None and scale <= 0):
            raise UsageError(
                f"conditioner 'sound' needs patch >= 1, width >= 1, layers >= 0 and scale > 0, "
                f"got {patch}, {width}, {layers} and {scale}"
            )
        self.dims = ConditionDims(vector=width if pooled else 0, tokens=width)
        self.patch, self.n_mels = patch, n_mels
        self.center, self.scale = center or 0.0, scale or 1.0
        self.mel = Mel(rate, duration, multiple=patch, pad="mask", n_fft=n_fft, hop=hop, n_mels=n_mels)
        self.length = self.mel.shape[1] // patch
        self.project = nn.Linear(patch * n_mels, width)
        self.place = nn.Parameter(_SCALE * torch.randn(self.length, width))
        self.layers = nn.ModuleList(TransformerLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.pooled = nn.Linear(width, width, bias=False) if pooled else None

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Measure the center and the scale, where the recipe leaves them open.

        Raises
        ------
        DataError
            When no example has the fact, or it is no sound.
        """
        given = {key: value for key, value in options.items() if value is not None}
        if "center" in given and "scale" in given:
            return dict(options)
        unscaled = cls(**{**given, "center": 0.0, "scale": 1.0})
        facts = known_facts(source, name, MEASURED)
        levels = [frames for value in facts if (frames := unscaled.prepare(value)) is not None]
        if not levels:
            raise absent(source, name)
        every = np.concatenate(levels).astype(np.float64)
        return {**options, "center": float(every.mean()), "scale": float(every.std()) or 1.0, **given}

    def prepare(self, value: Any) -> NDArray[np.float32] | None:
        """Make the spectrogram of a sound, or of a file's, whose channels are mixed.

        Raises
        ------
        DataError
            When the value is neither, or the file cannot be read.
        """
        if value is None:
            return None
        if isinstance(value, Path):
            return self._read(value)
        if not all(hasattr(value, name) for name in ("rate", "frames", "samples")):
            raise DataError(f"conditioner 'sound' takes a sound, not {type(value).__name__}")
        levels, mask = self.mel.encode(value), self.mel.mask(value)
        assert mask is not None, "a codec that masks"
        frames: NDArray[np.float32] = levels.T[mask[0] > 0].numpy()
        return frames

    def parse(self, text: str) -> NDArray[np.float32]:
        """Read a file."""
        try:
            return self._read(Path(text).expanduser())
        except DataError as error:
            raise UsageError(str(error)) from error

    def _read(self, path: Path) -> NDArray[np.float32]:
        try:
            frames = self.prepare(Recording.whole(path, read_header(path), channels="mix"))
        except DataError as error:
            raise DataError(f"{path} {error}") from error
        assert frames is not None, "a sound that is none"
        return frames

    def describe(self, value: NDArray[np.float32]) -> str:
        """Say how long it is."""
        return f"{len(value) * self.mel.hop / self.mel.rate:.3g} s"

    def forward(self, values: Sequence[NDArray[np.float32] | None]) -> Condition:
        """Encode the sounds: always as many tokens, of which those that begin within the sound count."""
        device = self.place.device
        x = torch.zeros(len(values), self.length * self.patch, self.n_mels)
        mask = torch.zeros(len(values), self.length, dtype=torch.bool)
        for row, value in enumerate(values):
            if value is not None:
                x[row, : len(value)] = (torch.from_numpy(value) - self.center) / self.scale
                mask[row, : -(-len(value) // self.patch)] = True
        mask = mask.to(device)
        patches = x.view(len(values), self.length, -1).to(device, self.place.dtype)
        h: Tensor = self.project(patches) + self.place
        for layer in self.layers:
            h = layer(h, mask)
        tokens = torch.where(mask[..., None], self.norm(h), 0.0)
        vector = None
        if self.pooled is not None:
            vector = self.pooled(tokens.sum(1) / mask.sum(1, keepdim=True).clamp(min=1))
        return Condition(vector=vector, tokens=tokens, mask=mask)
