"""Guidance by a contrastive pair that was trained on the same kind of data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.data.codec import Codec
from polydiff.errors import UsageError
from polydiff.guidance.base import ALWAYS
from polydiff.guidance.energy import Energy
from polydiff.model.latent import Latent
from polydiff.model.loading import load_pair
from polydiff.model.pair import Pair
from polydiff.recipe.component import Component
from polydiff.recipe.schema import EncodedConfig


class PairGuidance(Energy):
    """Guidance towards contents that a contrastive pair finds to fit a text, or what else it was trained with.

    The score is the pair's logit: the cosine between the predicted clean content and the text, over the temperature.

    Parameters
    ----------
    denoiser
        What is guided.
    codec
        Of the model that is guided.
    encoded
        What that codec is, for whether the pair takes the same data.
    model
        The pair's model folder or run folder.
    prompt
        What the contents are to fit, as the pair's conditioner reads it.
    scale
        0 is off.
    through, interval
        See `polydiff.guidance.energy.Energy`.

    Raises
    ------
    ModelError
        When the folder holds no pair.
    UsageError
        When the pair takes other data, or the prompt is none.
    """

    name = "pair"
    direction: Tensor

    def __init__(
        self,
        denoiser: Denoiser,
        codec: Codec,
        encoded: EncodedConfig,
        *,
        model: Path,
        prompt: str,
        scale: float = 1.0,
        through: bool = True,
        interval: tuple[float, float] = ALWAYS,
    ) -> None:
        pair = _loaded(model)
        _check(model, pair, encoded)
        super().__init__(denoiser, score=self.fit, scale=scale, through=through, interval=interval)
        self.codec = codec
        self.pair = pair
        self.folder = model
        self.register_buffer("direction", pair.embed_texts([prompt])[0])

    def fit(self, x0: Tensor, t: Tensor, cond: Condition | None) -> Tensor:
        """Give the pair's logit of predicted clean data, (B,)."""
        self.to(x0.device)
        codec, x = (self.codec.codec, self.codec.data(x0)) if isinstance(self.codec, Latent) else (self.codec, x0)
        for ours, theirs in zip(codec.buffers(), self.pair.codec.buffers(), strict=True):
            if not torch.equal(ours, theirs):
                raise UsageError(f"{self.folder} was trained on data of other statistics than the model")
        logits: Tensor = self.pair.log_scale.exp() * (self.pair.of_data(x.float()) @ self.direction)
        return logits


@cache
def _loaded(folder: Path) -> Pair:
    return load_pair(folder).requires_grad_(False)


def _check(folder: Path, pair: Pair, encoded: EncodedConfig) -> None:
    """Refuse a pair whose tensors mean something else."""
    theirs, ours = pair.config, encoded.codec
    if isinstance(within := ours.options.get("codec"), dict):  # a latent's: the pair judges what is decoded of it
        ours = Component(within["name"], {key: value for key, value in within.items() if key != "name"})
    if (encoded.modality, ours) != (theirs.modality, theirs.codec):
        raise UsageError(f"{folder} is a pair of other data: its codec is {theirs.codec.flat()}, not {ours.flat()}")
