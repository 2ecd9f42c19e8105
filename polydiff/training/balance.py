"""Errors of all noise levels made to count alike, by their running means."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

BANDS = 32
"""Parts of equal mass of the training times, each with a mean of its own."""

KEPT = 0.99
"""How much of a band's running mean each of its samples keeps: it is that of about the last hundred."""


@dataclass(slots=True)
class Balance:
    """Running means of the loss in bands of noise levels, and the weights that bring the bands' losses together.

    Where the data are little but noise, most of an error can't be helped, and its gradient drowns what there is to
    learn where they are nearly clean. Divided by its mean, each level's loss is about 1, as after the uncertainty
    weighting of Karras et al. 2024 (EDM2, https://arxiv.org/abs/2312.02696), whose learned log-variance has its optimum
    there. The gradient of a squared error grows with the error, not with its square: divided by the root of the mean,
    gradients become alike.

    Attributes
    ----------
    exponent
        Of the mean by which a loss is divided: 0 changes nothing, 0.5 makes gradients alike, 1 losses.
    losses, samples
        By band, the sums of losses and of samples, the older ones faded alike; their quotient is the running mean.
    """

    exponent: float
    losses: list[float] = field(default_factory=lambda: [0.0] * BANDS)
    samples: list[float] = field(default_factory=lambda: [0.0] * BANDS)

    def weights(self, u: Tensor) -> Tensor:
        """Give the weights of samples by the quantiles of their times, u in (0, 1): (B,).

        They leave the mean loss over all levels as it is. A band with no sample or no loss so far has the weight 1.
        """
        losses, samples = self._sums()
        means = losses / samples
        seen = (samples > 0) & (losses > 0)
        weights = means**-self.exponent
        weights *= means[seen].sum() / (means * weights)[seen].sum()
        return torch.where(seen, weights, 1.0)[_bands(u)]

    def note(self, u: Tensor, losses: Tensor) -> Tensor:
        """Sum up what a part of a batch says, for `add`: (2, bands), of the losses and of the samples."""
        noted = torch.zeros(2, BANDS, dtype=torch.float64)
        both = torch.stack((losses.double().cpu(), torch.ones_like(u)))
        return noted.index_add_(1, _bands(u), both)

    def add(self, noted: Tensor) -> None:
        """Take in a step's sums, of all its parts and processes."""
        faded = torch.stack(self._sums()) * KEPT ** noted[1]
        self.losses, self.samples = (faded + noted).tolist()

    def _sums(self) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.losses, dtype=torch.float64), torch.tensor(self.samples, dtype=torch.float64)


def _bands(u: Tensor) -> Tensor:
    return (u * BANDS).long()
