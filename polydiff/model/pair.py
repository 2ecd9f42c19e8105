"""A contrastive pair: contents and one fact of them as vectors of one space, near where they belong together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from polydiff.conditioning.conditioner import Conditioner
from polydiff.conditioning.pooled import pooled, pooled_width
from polydiff.data.codec import Codec
from polydiff.errors import UsageError
from polydiff.model import folder as model_folder
from polydiff.model.pair_card import pair_card
from polydiff.model.reading import with_content
from polydiff.nn.encoder import Encoder
from polydiff.plugins.specs import CodecSpec, ConditionerSpec, EncoderSpec
from polydiff.recipe.build import build
from polydiff.recipe.schema import PairConfig

LARGEST_SCALE = 100.0
"""Of the cosines in the loss, so that training stays stable (Radford et al. 2021, section 2.5)."""


class Pair(nn.Module):
    """An encoder of contents and a conditioner, each followed by a linear map to a common space.

    CLIP (Radford et al. 2021, https://arxiv.org/abs/2103.00020), of any modality and any conditioner. All vectors that
    it gives have unit length, so that their inner products are cosines.

    Attributes
    ----------
    config
        Registered names and options: what it is made from.
    codec
        Between contents and the encoder's data.
    log_scale
        (1,), the logarithm of what the cosines are multiplied by in the loss: the inverse of the temperature.
    """

    def __init__(self, config: PairConfig, codec: Codec, encoder: Encoder, conditioner: Conditioner) -> None:
        super().__init__()
        self.config = config
        self.codec = codec
        self.encoder = encoder
        (self.fact,) = config.conditions
        self.conditioners = nn.ModuleDict({self.fact: conditioner})
        width = config.contrastive.width
        try:
            pooled_dim = pooled_width(conditioner.dims)
        except UsageError as error:
            raise config.conditions[self.fact].error(str(error)) from error
        self.content_map = nn.Linear(encoder.width, width, bias=False)
        self.condition_map = nn.Linear(pooled_dim, width, bias=False)
        self.log_scale = nn.Parameter(torch.full((1,), -math.log(config.contrastive.temperature)))

    @classmethod
    def from_config(cls, config: PairConfig) -> Pair:
        """Build an untrained one; raises as `Model.from_config` does."""
        modality = config.modality
        codec: Codec = build(CodecSpec, config.codec, modality=modality)
        encoder: Encoder = build(EncoderSpec, config.contrastive.encoder, data_shape=codec.shape)
        ((name, condition),) = config.conditions.items()
        if hasattr(nn.ModuleDict(), name):
            raise condition.error("torch keeps this name for itself; give the fact another")
        read = partial(with_content, modality=modality)
        return cls(config, codec, encoder, build(ConditionerSpec, condition, codec=codec, read=read))

    @property
    def conditioner(self) -> Conditioner:
        """The half that is not of contents."""
        return cast(Conditioner, self.conditioners[self.fact])

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.log_scale.device

    def of_data(self, x: Tensor) -> Tensor:
        """Give the vectors, (B, width), of encoded contents, (B, C, *); differentiable by `x`."""
        return nn.functional.normalize(self.content_map(self.encoder(x)).float(), dim=-1)

    def of_values(self, values: Sequence[Any]) -> Tensor:
        """Give the vectors, (B, width), of raw values of the conditioner."""
        return nn.functional.normalize(self.condition_map(pooled(self.conditioner(values))).float(), dim=-1)

    @torch.no_grad()
    def embed(self, contents: Sequence[Any], *, batch: int = 64) -> Tensor:
        """Give the vectors of contents, (n, width), on the CPU.

        Raises
        ------
        DataError
            When the codec cannot encode one.
        """
        parts = [
            self.of_data(torch.stack([self.codec.encode(each) for each in contents[i : i + batch]]).to(self.device))
            for i in range(0, len(contents), batch)
        ]
        return torch.cat(parts).cpu() if parts else torch.zeros(0, self.config.contrastive.width)

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str], *, batch: int = 64) -> Tensor:
        """Give the vectors of what a user writes for the condition, (n, width), on the CPU.

        Raises
        ------
        UsageError
            When the conditioner cannot read one.
        """
        values = [self.conditioner.parse(text) for text in texts]
        parts = [self.of_values(values[i : i + batch]) for i in range(0, len(values), batch)]
        return torch.cat(parts).cpu() if parts else torch.zeros(0, self.config.contrastive.width)

    def save(self, folder: str | Path, figures: Mapping[str, float] | None = None) -> None:
        """Write the pair's folder, whole or not at all; see `Model.save`."""
        tensors = {name: x.detach().to("cpu", copy=True).contiguous() for name, x in self.state_dict().items()}
        contents = {
            model_folder.CONFIG: model_folder.dump_config(self.config),
            model_folder.WEIGHTS: save(tensors),
            model_folder.CARD: pair_card(self.config, figures or {}).encode(),
        }
        model_folder.write(Path(folder), contents)
