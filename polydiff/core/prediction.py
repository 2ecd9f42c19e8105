"""What a network outputs, and how it is turned into an estimate of x_0.

All formulas hold for any alpha and sigma; those of `v` and `edm` reduce to the papers' on a variance-preserving
schedule.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from polydiff.errors import UsageError, unknown


class Prediction(ABC):
    """The meaning of a network's output. Tensors are (B, *); alpha and sigma broadcast against them."""

    needs_data = False
    """Whether x_0 cannot be told from the output where alpha = 0."""

    @abstractmethod
    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Give the x_0 that the output stands for."""

    @abstractmethod
    def from_x0(self, x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Give the output that stands for `x0`: the inverse of `to_x0`, which needs sigma > 0 but for `x0` itself."""

    @abstractmethod
    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Give what the network should output for x_t = alpha x_0 + sigma eps; defined at alpha = 0 and at sigma =
        0.
        """

    @abstractmethod
    def x0_error_scale(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Give the factor by which an error of the output becomes an error of x_0."""

    def input_scale(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Give the factor on x_t that brings it to about unit variance for the network."""
        return (alpha**2 + sigma**2).rsqrt()


class Eps(Prediction):
    """The noise (Ho et al. 2020, https://arxiv.org/abs/2006.11239, eq. 9); says nothing of x_0 where alpha = 0."""

    needs_data = True

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """x_0 = (x_t - sigma eps) / alpha."""
        return (x_t - sigma * output) / alpha

    def from_x0(self, x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """eps = (x_t - alpha x_0) / sigma."""
        return (x_t - alpha * x0) / sigma

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The noise itself."""
        return eps

    def x0_error_scale(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """sigma / alpha."""
        return sigma / alpha


class X0(Prediction):
    """The clean data."""

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The output itself."""
        return output

    def from_x0(self, x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """x_0 itself."""
        return x0

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The data itself."""
        return x0

    def x0_error_scale(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """1."""
        return alpha.new_ones(alpha.shape)


class V(Prediction):
    """v = alpha eps - sigma x_0 (Salimans & Ho 2022, https://arxiv.org/abs/2202.00512, section 4)."""

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """x_0 = (alpha x_t - sigma v) / (alpha^2 + sigma^2)."""
        return (alpha * x_t - sigma * output) / (alpha**2 + sigma**2)

    def from_x0(self, x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """v = (alpha x_t - (alpha^2 + sigma^2) x_0) / sigma."""
        return (alpha * x_t - (alpha**2 + sigma**2) * x0) / sigma

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """v by its definition."""
        return alpha * eps - sigma * x0

    def x0_error_scale(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """sigma / (alpha^2 + sigma^2)."""
        return sigma / (alpha**2 + sigma**2)


class FlowVelocity(Prediction):
    """eps - x_0, the velocity of the straight path from data to noise (Lipman et al. 2023,
    https://arxiv.org/abs/2210.02747).
    """

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """x_0 = (x_t - sigma u) / (alpha + sigma)."""
        return (x_t - sigma * output) / (alpha + sigma)

    def from_x0(self, x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """u = (x_t - (alpha + sigma) x_0) / sigma."""
        return (x_t - (alpha + sigma) * x0) / sigma

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """u by its definition."""
        return eps - x0

    def x0_error_scale(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """sigma / (alpha + sigma)."""
        return sigma / (alpha + sigma)


class Preconditioned(Prediction):
    """x_0 = c_skip x_t + c_out F (Karras et al. 2022, https://arxiv.org/abs/2206.00364, table 1), for any alpha.

    With d the standard deviation of the data and q^2 = alpha^2 d^2 + sigma^2, the variance of x_t:
    c_in = 1 / q, c_skip = alpha d^2 / q^2, c_out = sigma d / q.
    """

    def __init__(self, *, data_std: float = 0.5) -> None:
        if data_std <= 0:
            raise UsageError(f"prediction 'edm' needs data_std > 0, got {data_std}")
        self.d = data_std

    def _q2(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return (alpha * self.d) ** 2 + sigma**2

    def to_x0(self, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """x_0 = c_skip x_t + c_out F."""
        return alpha * self.d**2 / self._q2(alpha, sigma) * x_t + self.x0_error_scale(alpha, sigma) * output

    def from_x0(self, x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """F = (x_0 - c_skip x_t) / c_out."""
        return (x0 - alpha * self.d**2 / self._q2(alpha, sigma) * x_t) / self.x0_error_scale(alpha, sigma)

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """F = (sigma x_0 - alpha d^2 eps) / (d q), which is `from_x0` with sigma divided out."""
        return (sigma * x0 - alpha * self.d**2 * eps) / (self.d * self._q2(alpha, sigma).sqrt())

    def x0_error_scale(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """c_out."""
        return sigma * self.d * self._q2(alpha, sigma).rsqrt()

    def input_scale(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        """c_in."""
        return self._q2(alpha, sigma).rsqrt()


PREDICTIONS: dict[str, type[Prediction]] = {"eps": Eps, "x0": X0, "v": V, "flow": FlowVelocity, "edm": Preconditioned}


def prediction(name: str, **options: float) -> Prediction:
    """Make a prediction by name: eps, x0, v, flow or edm (which takes `data_std`).

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    if name not in PREDICTIONS:
        raise UsageError(unknown("prediction", name, PREDICTIONS))
    return PREDICTIONS[name](**options)
