"""The network that a denoiser evaluates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from polydiff.core.condition import Condition, ConditionDims


class Backbone(nn.Module, ABC):
    """A network of noisy data, noise level and condition.

    Subclasses add their options as keywords with defaults and precise type hints, which recipes are checked
    against.

    Parameters
    ----------
    data_channels
        Channels of the diffused data, C.
    condition
        Widths of the condition's parts; a part of width 0 is never given.

    Attributes
    ----------
    takes_mask
        Whether `forward` has a further keyword `mask`, broadcastable to `x`, 1 where it is data and 0 where it is
        padding, which must not change the rest of the output: for networks that look at all of an example. Given
        where the codec masks.
    drafts
        Whether `forward` has a further keyword `draft`: when true it gives, besides the output, an estimate of x_0 of
        the same shape that was made on the way, which is trained too.
    attention_layers
        Names of the self-attentions that a condition's `perturbed` can switch to the identity, in its order.
    """

    takes_mask: ClassVar[bool] = False
    drafts: bool = False
    attention_layers: tuple[str, ...] = ()

    def __init__(self, data_channels: int, condition: ConditionDims) -> None:
        super().__init__()
        self.data_channels = data_channels
        self.condition = condition

    @abstractmethod
    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition | None = None) -> Tensor:
        """Evaluate the network.

        Each sample is processed on its own. An absent part of `cond`, zeros and no unmasked token give the
        same output, bit for bit.

        Parameters
        ----------
        x
            (B, C, *), the scaled noisy data.
        log_snr
            (B,) in [-20, 20].
        cond
            `None` is unconditional.

        Returns
        -------
        Tensor
            (B, C, *), of the shape of `x`.
        """

    @abstractmethod
    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise UsageError, naming the nearest valid sizes, when an example of `shape`, (C, *), is not one."""

    def complete(self, cond: Condition | None) -> Condition:
        """Give `cond`, empty for `None`, with masked tokens zeroed: whatever stood there is without effect."""
        if cond is None:
            return Condition()
        dims = self.condition
        assert cond.vector is None or dims.vector, "a vector for a network built without"
        assert cond.tokens is None or dims.tokens, "tokens for a network built without"
        assert cond.channels is None or dims.channels, "channels for a network built without"
        assert cond.perturbed is None or self.attention_layers, "perturbed attention in a network that has none"
        if cond.mask is None or cond.tokens is None:
            return cond
        tokens = cond.tokens.masked_fill(~cond.mask[..., None], 0.0)
        return replace(cond, tokens=tokens)

    def with_channels(self, x: Tensor, cond: Condition) -> Tensor:
        """Concatenate the condition's channels, or zeros in their absence, to `x`: (B, C + channels, *)."""
        if not self.condition.channels:
            return x
        channels = cond.channels
        if channels is None:
            channels = x.new_zeros(x.shape[0], self.condition.channels, *x.shape[2:])
        return torch.cat((x, channels), 1)
