"""A codec that learns, as a thing that is trained and saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from polydiff.model import folder as model_folder
from polydiff.model.codec_card import codec_card
from polydiff.model.latent import Latent
from polydiff.plugins.specs import AutoencoderSpec, CodecSpec
from polydiff.recipe.build import build
from polydiff.recipe.schema import CodecConfig


class CodecModel(nn.Module):
    """An autoencoder of what another codec encodes.

    Attributes
    ----------
    config
        Registered names and options: what it is made from.
    codec
        The two together, whose state is what is saved.
    losses
        What is trained beside it, to train it.
    """

    def __init__(self, config: CodecConfig, codec: Latent) -> None:
        super().__init__()
        self.config = config
        self.codec = codec
        self.losses = nn.ModuleList()

    @classmethod
    def from_config(cls, config: CodecConfig) -> CodecModel:
        """Build an untrained one; raises as `Model.from_config` does."""
        data = build(CodecSpec, config.codec, modality=config.modality)
        autoencoder = build(AutoencoderSpec, config.autoencoder, data_shape=data.shape)
        return cls(config, Latent(data, autoencoder))

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode data, (B, C, *), without noise."""
        autoencoder = self.codec.autoencoder
        return autoencoder.decode(autoencoder.encode(x).mean)

    def save(self, folder: str | Path, figures: Mapping[str, float] | None = None) -> None:
        """Write the codec's folder, whole or not at all; see `Model.save`."""
        state = self.codec.state_dict()
        contents = {
            model_folder.CONFIG: model_folder.dump_config(self.config),
            model_folder.WEIGHTS: save(
                {name: x.detach().to("cpu", copy=True).contiguous() for name, x in state.items()}
            ),
            model_folder.CARD: codec_card(self.config, figures or {}).encode(),
        }
        model_folder.write(Path(folder), contents)
