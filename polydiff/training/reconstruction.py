"""What an autoencoder is trained towards: data that come back, of latents that are no larger than they need be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor, nn

from polydiff.core.noise import TRAIN_NOISE, Seeds
from polydiff.model.codec_model import CodecModel


class Reconstruction(Protocol):
    """A loss between what comes back of data and the data.

    A subclass may take `codec`, that between contents and the data, from the engine; its options are its own keywords.
    """

    def __call__(self, y: Tensor, x: Tensor, /) -> Tensor:
        """Give each sample's loss, (B,), of what came back, `y`, and the data, both (B, C, *)."""


class L1:
    """The mean absolute difference: of several things that may be meant, the median, which is sharp."""

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """Give mean |y - x|, (B,)."""
        return (y - x).abs().flatten(1).mean(1)


class L2:
    """The mean squared difference."""

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """Give mean (y - x)^2, (B,)."""
        return (y - x).square().flatten(1).mean(1)


@dataclass(frozen=True, slots=True)
class CodecObjective:
    """The weighted sum of reconstruction losses and of the latents' divergence from a standard normal.

    With the loss of a Gaussian likelihood (`l2`) it is the negative bound of Kingma & Welling 2014 (Auto-encoding
    variational Bayes), eq. 3, up to constants; all terms are means over their values.

    Attributes
    ----------
    terms
        Each with its weight.
    kl
        The weight of KL(q(z | x) || N(0, 1)).
    """

    terms: Sequence[tuple[float, Reconstruction]]
    kl: float

    @property
    def learnt(self) -> list[nn.Module]:
        """Those that learn, too."""
        return [loss for _, loss in self.terms if isinstance(loss, nn.Module)]

    def reconstruction(self, y: Tensor, x: Tensor) -> Tensor:
        """Give each sample's loss of what came back, (B,)."""
        losses = [weight * loss(y, x) for weight, loss in self.terms]
        return sum(losses[1:], losses[0])

    def judged(self) -> CodecObjective:
        """Give what can be compared from one validation to the next: the losses that do not learn."""
        return replace(self, terms=[term for term in self.terms if not isinstance(term[1], nn.Module)])


class CodecLoss(nn.Module):
    """The loss of a batch, as the one `forward` that a parallel strategy wraps.

    The noise of the latents is a function of the seed and each sample's position in the run.
    """

    def __init__(self, model: CodecModel, objective: CodecObjective, *, seed: int) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.seed = seed

    def forward(
        self, x: Tensor, conditions: Mapping[str, Sequence[Any]], positions: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Give each sample's loss, (B,).

        Parameters
        ----------
        x
            (B, C, *), as the codec of the data encodes it.
        conditions
            None: nothing is told to an autoencoder.
        positions
            (B,) int64: each sample's place in the run.
        mask
            None: `assemble_codec` refuses codecs that mask.
        """
        assert not conditions and mask is None
        shape = self.model.codec.shape
        eps = Seeds(self.seed, positions.cpu()).normal(shape, stream=TRAIN_NOISE, device=x.device, dtype=x.dtype)
        y, posterior = self.model.codec.autoencoder(x, eps)
        losses: Tensor = self.objective.reconstruction(y.float(), x) + self.objective.kl * posterior.kl()
        return losses
