"""A transformer of latent tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recompute

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBackend
from polydiff.nn.block import BlockOptions
from polydiff.nn.embedded import EmbeddedBackbone
from polydiff_pointcloud.latent_set import LatentLayer
from polydiff_pointcloud.point_layers import PointHead, at_least

PLACE_STD = 0.02
"""Of the initial values of what tells a token its place."""


class TokenTransformer(EmbeddedBackbone):
    """Layers of self-attention among a fixed number of tokens, each told its place: for the latents of clouds.

    Follows Peebles & Xie 2023 (DiT, https://arxiv.org/abs/2212.09748) with the layers of `latent-set`. The condition's
    vector is added to the time embedding, its tokens are attended to, its channels, (B, channels, tokens), are
    concatenated.

    Parameters
    ----------
    data_channels, condition
        See `Backbone`.
    tokens
        How many: those of the autoencoder.
    width
        Of a token within the network.
    layers
        How many.
    head_width
        Channels of an attention head; divides `width`.
    dropout
        Probability, in [0, 1), with which an activation is dropped in training.
    checkpoint
        Recompute activations in the backward pass instead of keeping them: less memory, a third more time.
    attention_backend
        "auto", "sdpa", "xformers" (CUDA, needs the extra of that name) or "math".

    Raises
    ------
    UsageError
        When an option is out of its range.
    """

    def __init__(
        self,
        data_channels: int,
        condition: ConditionDims,
        *,
        tokens: int = 32,
        width: int = 192,
        layers: int = 6,
        head_width: int = 32,
        dropout: float = 0.0,
        checkpoint: bool = False,
        attention_backend: AttentionBackend = "sdpa",
    ) -> None:
        at_least(1, tokens=tokens, width=width, layers=layers)
        super().__init__(data_channels, condition, width)
        options = BlockOptions(head_width, attention_backend, dropout, checkpoint)
        self.checkpoint = checkpoint
        self.stem = nn.Linear(data_channels + condition.channels, width)
        self.places = nn.Parameter(PLACE_STD * torch.randn(tokens, width))
        self.layers = nn.ModuleList(LatentLayer(width, condition.tokens, options) for _ in range(layers))
        self.head = PointHead(width, data_channels, width)

    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition | None = None) -> Tensor:
        """Evaluate the network; see `Backbone.forward`."""
        cond = self.complete(cond)
        embedding = self.embed(log_snr, cond)
        z = self.stem(self.with_channels(x, cond).transpose(1, 2)) + self.places
        for layer in self.layers:
            if self.checkpoint and torch.is_grad_enabled():
                z = recompute(layer, z, embedding, cond, use_reentrant=False)
            else:
                z = layer(z, embedding, cond)
        out: Tensor = self.head(z, embedding)
        return out.contiguous()

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise UsageError unless `shape` is (data_channels, tokens)."""
        wanted = self.data_channels, len(self.places)
        if shape != wanted:
            raise UsageError(
                f"the data are {' x '.join(map(str, shape))}; this network takes {wanted[0]} channels of {wanted[1]} "
                "tokens, backbone.tokens"
            )
