"""A network that makes latents of data and data of latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

LOG_VARIANCE = (-30.0, 20.0)
"""The range of a posterior's log-variance: beyond it there is nothing to learn but overflow."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """What an encoder makes of data x: a Gaussian q(z | x) whose coordinates are independent.

    Attributes
    ----------
    mean, log_variance
        (B, C, *).
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, output: Tensor) -> Posterior:
        """Read a network's output, (B, 2 C, *): the means, then the log-variances."""
        mean, log_variance = output.chunk(2, 1)
        return cls(mean, log_variance.clamp(*LOG_VARIANCE))

    def sample(self, eps: Tensor) -> Tensor:
        """Draw from it by standard normal noise of its shape (Kingma & Welling 2014, section 2.4)."""
        return self.mean + (self.log_variance / 2).exp() * eps

    def kl(self) -> Tensor:
        """Give KL(q || N(0, 1)) of each sample, the mean over its coordinates: (B,) (Kingma & Welling 2014, app. B)."""
        terms = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return terms.flatten(1).mean(1) / 2


class Autoencoder(nn.Module, ABC):
    """An encoder and a decoder between tensors of data and smaller tensors, their latents.

    Subclasses add their options as keywords with defaults and precise type hints, which recipes are checked against.
    Each sample is processed on its own.

    Parameters
    ----------
    data_shape
        (C, *) of the data as trained on.
    """

    def __init__(self, data_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.data_shape = data_shape

    @abstractmethod
    def latent_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape of the latents of data of a shape, both (C, *).

        Raises
        ------
        UsageError
            When the network takes no data of that shape; the message names the nearest sizes that it does.
        """

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Posterior]:
        """Encode data, (B, C, *), draw latents by noise of their shape, and decode these: what training needs."""
        posterior = self.encode(x)
        return self.decode(posterior.sample(eps)), posterior

    @abstractmethod
    def encode(self, x: Tensor) -> Posterior:
        """Encode data, (B, C, *)."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Make data, (B, C, *), of latents."""
