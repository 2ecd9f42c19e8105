"""Part of a sample given, the rest generated: completion, inpainting, continuation, of any modality."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Around, Denoiser, per_sample
from polydiff.core.noise import PRIOR, Seeds


@dataclass(frozen=True, slots=True)
class Known:
    """What is given of each sample.

    Attributes
    ----------
    x0
        (C, *) of all samples, or (B, C, *); what it says of unknown values does not count.
    mask
        Bool, broadcastable to `x0`: where it is known.
    """

    x0: Tensor
    mask: Tensor


class Given(Around):
    """A denoiser that is told part of x_0: it sees these values as noisy as x_t is, and gives them back as they are.

    The replacement method (Song et al. 2021, https://arxiv.org/abs/2011.13456, appendix I.2), on any schedule and with
    any sampler: x_t is alpha_t x_0 + sigma_t eps where x_0 is known. eps is what the sample began with, so that along
    the path of a deterministic sampler nothing is replaced.

    The rest is drawn with noisy knowledge for most of the way, and follows what is given less closely than the true
    conditional distribution would. Samplers that draw noise mend that in part, `restart` with several `repeats` the
    most: it goes back to noise and takes both down together again (as Lugmayr et al. 2022, RePaint,
    https://arxiv.org/abs/2201.09865, do).

    Parameters
    ----------
    denoiser
        With its guidances: this is the outermost.
    known
        As many samples as there are seeds, or one for all.
    seeds
        The identities of the samples.
    """

    def __init__(self, denoiser: Denoiser, known: Known, seeds: Seeds) -> None:
        super().__init__(denoiser)
        self.known = known
        self.seeds = seeds
        self._eps: Tensor | None = None

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the estimate of x_0, exact where it is known."""
        x0, mask = self.known.x0.to(x_t), self.known.mask.to(x_t.device)
        alpha, sigma = (per_sample(c, x_t).to(x_t) for c in self.schedule(t))
        seen = torch.where(mask, alpha * x0 + sigma * self._noise(x_t), x_t)
        return torch.where(mask, x0, self.denoiser(seen, t, cond))

    def _noise(self, x_t: Tensor) -> Tensor:
        if self._eps is None:
            self._eps = self.seeds.normal(x_t.shape[1:], stream=PRIOR, device=x_t.device, dtype=x_t.dtype)
        return self._eps
