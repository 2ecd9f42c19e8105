"""The contrastive loss: of each content among all captions, and of each caption among all contents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx

from polydiff.conditioning.key import UNKNOWN, key_of
from polydiff.model.pair import LARGEST_SCALE, Pair


def info_nce(z: Tensor, c: Tensor, keys: Tensor, every_z: Tensor, every_c: Tensor, every_key: Tensor) -> Tensor:
    """Give each pair's symmetric InfoNCE loss, (b,), among all pairs of a batch.

    Radford et al. 2021 (CLIP, https://arxiv.org/abs/2103.00020), figure 3, after van den Oord et al. 2018
    (https://arxiv.org/abs/1807.03748), eq. 4: with s_ij the scaled cosine between content i and caption j,

        loss_i = -log(e^s_ii / sum_{j in N_i} e^s_ij) / 2 - log(e^s_ii / sum_{j in N_i} e^s_ji) / 2.

    N_i are i and all pairs whose caption is another: content i fits a caption like its own as well, and would else be
    pushed away from it. Pairs whose caption is not known have no loss, and are nobody's negatives.

    Parameters
    ----------
    z, c
        (b, D), the contents' vectors and those of their captions, of which the scale is in one: s = z c^T.
    keys
        (b,) int64: captions that are alike have the same key; `UNKNOWN` has none.
    every_z, every_c, every_key
        The same of all B pairs of the batch, among which the first b are `z`, `c` and `keys`.
    """
    own = torch.eye(len(z), len(every_z), dtype=torch.bool, device=z.device)
    left_out = ((keys[:, None] == every_key) | (every_key == UNKNOWN)) & ~own
    target = torch.arange(len(z), device=z.device)
    among_captions = (z @ every_c.T).masked_fill(left_out, -torch.inf)
    among_contents = (c @ every_z.T).masked_fill(left_out, -torch.inf)
    losses = [
        nn.functional.cross_entropy(logits, target, reduction="none") for logits in (among_captions, among_contents)
    ]
    return torch.where(keys == UNKNOWN, 0.0, (losses[0] + losses[1]) / 2)


class ContrastiveLoss(nn.Module):
    """The loss of a batch, as the one `forward` that a parallel strategy wraps.

    What a pair is told from is all of the global batch: with several processes each gathers the vectors of the others,
    with their gradients, so that the run is the same on any number of them.
    """

    def __init__(self, model: Pair) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, x: Tensor, conditions: Mapping[str, Sequence[Any]], positions: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Give each sample's loss, (B,).

        Parameters
        ----------
        x
            (B, C, *), as the codec encodes it.
        conditions
            B raw values of the pair's conditioner.
        positions
            Without meaning here: nothing is drawn.
        mask
            Without meaning here: the encoder sees padding in use as well.
        """
        model = self.model
        values = conditions[model.fact]
        with torch.no_grad():
            model.log_scale.clamp_(max=math.log(LARGEST_SCALE))
        keys = torch.tensor([key_of(value) for value in values], device=x.device)
        z, c = model.of_data(x), model.of_values(values)
        with torch.autocast(x.device.type, enabled=False):
            scale = model.log_scale.exp()
            every_z, every_c, every_key = _gathered(z), _gathered(c), _gathered(keys)
            return info_nce(scale * z, scale * c, keys, every_z, every_c, every_key)


def _gathered(x: Tensor) -> Tensor:
    """Give the rows of all processes, this one's first."""
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return x
    gathered: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return gathered.roll(-distributed.get_rank() * len(x), 0)


class _Gather(torch.autograd.Function):
    """The rows of all processes by rank; what each makes of them comes back to the process whose they are."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:  # noqa: ARG004 (as PyTorch calls it)
        each = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
        distributed.all_gather(each, x.contiguous())
        return torch.cat(each)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:  # noqa: ARG004
        gradient = gradient.contiguous()
        distributed.all_reduce(gradient)
        return gradient.chunk(distributed.get_world_size())[distributed.get_rank()]
