"""Perturbed-attention guidance: away from what the network sees when its tokens do not see each other."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError, unknown
from polydiff.guidance.base import ALWAYS, Guidance, together


class PerturbedAttention(Guidance):
    """perturbed + scale (x0 - perturbed), where the perturbed estimate is made with the identity for the maps of some
    self-attentions: each position keeps its own value (Ahn et al. 2024, https://arxiv.org/abs/2403.17377).

    Both estimates are evaluated in one call, with the same condition or none.

    Parameters
    ----------
    denoiser
        A network with self-attention, or what is made from one.
    scale
        1 is off; the paper's s is `scale` - 1.
    layers
        Which self-attentions, by the beginning of their place in the network: "middle" is all of the middle,
        "up.0" all of the finest level on the way up.
    interval
        The times, both ends included, at which to guide.

    Raises
    ------
    UsageError
        When the network has no such self-attentions.
    """

    name = "perturbed-attention"

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        scale: float,
        layers: tuple[str, ...] = ("middle",),
        interval: tuple[float, float] = ALWAYS,
    ) -> None:
        super().__init__(denoiser, scale, interval)
        known = denoiser.attention_layers
        if not known:
            raise UsageError("guidance 'perturbed-attention' needs a network with self-attention; this one has none")
        for layer in layers:
            if not any(_lies_in(name, layer) for name in known):
                raise UsageError(f"guidance 'perturbed-attention': {unknown('attention layer', layer, known)}")
        self.chosen = torch.tensor([any(_lies_in(name, layer) for layer in layers) for name in known])

    def is_off(self, cond: Condition | None) -> bool:
        """Tell whether the scale is 1."""
        return self.scale == 1

    def guide(self, x_t: Tensor, t: Tensor, cond: Condition | None) -> tuple[Tensor, Tensor]:
        """Evaluate the network as it is and perturbed, in one call."""
        cond = Condition() if cond is None else cond
        before = cond.perturbed
        if before is None:
            before = torch.zeros(len(x_t), len(self.chosen), dtype=torch.bool, device=x_t.device)
        perturbed = replace(cond, perturbed=before | self.chosen.to(x_t.device))
        plain, other = together(self.denoiser, x_t, t, replace(cond, perturbed=before), perturbed)
        return plain, torch.lerp(other, plain, self.scale)


def _lies_in(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")
