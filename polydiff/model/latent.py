"""The latents of a trained autoencoder, as a codec."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from polydiff.data.codec import Codec, Stored
from polydiff.errors import DataError, ModelError
from polydiff.model import folder as model_folder
from polydiff.nn.autoencoder import Autoencoder

FITTED = 256
"""How many contents `fit` measures at most."""

CONSTANT = 1e-6
"""The standard deviation, over the largest of all latents, below which a channel's changes are rounding."""


class Latent(Codec):
    """What an autoencoder makes of what another codec encodes, each channel standardised.

    A content's latent is the mean of its posterior. Every sample is decoded on its own, so that it takes little memory
    and does not depend on the others.

    Parameters
    ----------
    codec
        Between contents and the autoencoder's data.
    autoencoder
        Trained, once `polydiff.model.pretrained` has read its folder.
    sha256
        Of the weights in that folder: it says which codec it is.
    of
        The folder: a codec's model folder or run folder. A recipe names nothing else; the rest comes from there.
    """

    folder: ClassVar[str] = "of"

    mean: Tensor
    std: Tensor

    def __init__(self, codec: Codec, autoencoder: Autoencoder, sha256: str = "", of: Path | None = None) -> None:
        super().__init__()
        self.codec = codec
        self.autoencoder = autoencoder
        self.windowed = codec.windowed
        self._shape = autoencoder.latent_shape(codec.shape)
        per_channel = self.channels, *(1,) * (len(self._shape) - 1)
        self.register_buffer("mean", torch.zeros(per_channel))
        self.register_buffer("std", torch.ones(per_channel))

    @classmethod
    def stored(cls, folder: Path, modality: str) -> Stored:
        """Read a codec's model folder.

        Raises
        ------
        ModelError
            When it is none, is damaged, or is of another modality.
        """
        folder = model_folder.find(folder)
        digests = model_folder.verify(folder)
        config = model_folder.read_codec_config(folder)
        if config.modality != modality:
            raise ModelError(f"{folder} is a codec of the modality '{config.modality}', not of '{modality}'")
        options = {
            "codec": config.codec.flat(),
            "autoencoder": config.autoencoder.flat(),
            "sha256": digests[model_folder.WEIGHTS],
        }
        return Stored(options, model_folder.read_weights(folder / model_folder.WEIGHTS))

    @property
    def channels(self) -> int:
        """Of the latents."""
        return self._shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the latents of what is trained on."""
        return self._shape

    def shape_for(self, size: str) -> tuple[int, ...]:
        """Read a size as the codec of the data does; raises `UsageError` also where the autoencoder takes no such."""
        return self.autoencoder.latent_shape(self.codec.shape_for(size))

    @torch.no_grad()
    def fit(self, contents: Iterable[Any]) -> None:
        """Measure each channel over the first `FITTED` contents that can be encoded."""
        latents = list(islice(self._encodable(contents), FITTED))
        if not latents:
            return
        values = torch.stack(latents).transpose(0, 1).flatten(1).double()
        self.mean.copy_(values.mean(1).view_as(self.mean))
        std = values.std(1, correction=0)
        changes = std > CONSTANT * values.abs().max()
        self.std.copy_(torch.where(changes, std, 1.0).view_as(self.std))

    def encode(self, content: Any) -> Tensor:
        """Encode a content; raises as the codec of the data does."""
        return ((self._latent(content) - self.mean) / self.std).cpu()

    @torch.no_grad()
    def decode(self, x: Tensor) -> list[Any]:
        """Make contents of latents, (B, C, *), of any size that the autoencoder takes."""
        return [content for z in x.detach() for content in self.codec.decode(self.data(z[None]))]

    def data(self, x: Tensor) -> Tensor:
        """Give what the codec of the data decodes, (B, C, *), of latents; differentiable by `x`."""
        return self.autoencoder.decode(x.to(self.mean.dtype) * self.std + self.mean)

    def cut(self, content: Any, size: str) -> Any:
        """Cut a content as the codec of the data does."""
        return self.codec.cut(content, size)

    @torch.no_grad()
    def _latent(self, content: Any) -> Tensor:
        x = self.codec.encode(content)[None].to(self.mean.device)
        return self.autoencoder.encode(x).mean[0]

    def _encodable(self, contents: Iterable[Any]) -> Iterable[Tensor]:
        for content in contents:
            try:
                latent = self._latent(content)
            except DataError:
                continue
            yield latent
