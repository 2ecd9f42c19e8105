"""iPNDM: pseudo linear multistep with a start of lower orders, one evaluation a step."""

from __future__ import annotations

from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.sampling.adams import PastNoise, extrapolated
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, denoise, noise_in

ADAMS_BASHFORTH = ((), (-1 / 2,), (-16 / 12, 5 / 12), (-59 / 24, 37 / 24, -9 / 24))
"""The weights of earlier values, latest first, for even steps; that of the present value is what is missing to 1."""


class IPNDM(Sampler):
    """Zhang & Chen 2023, https://arxiv.org/abs/2204.13902: `plms` with a start of lower orders.

    The noise in the state is extrapolated by Adams and Bashforth's weights, eps' = (55 eps - 59 eps_1 + 37 eps_2 - 9
    eps_3) / 24, and a step of DDIM taken with it. The weights are those of even steps in rho = sigma / alpha: on other
    grids the method is of second order, whatever the number of values.

    Parameters
    ----------
    order
        1 to 4: how many values.
    """

    def __init__(self, *, order: int = 4) -> None:
        if not 1 <= order <= 4:
            raise UsageError(f"sampler 'ipndm' has order 1 to 4, got {order}")
        self.order = order

    def step(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        t: Level,
        s: Level,
        *,
        cond: Condition | None,
        carry: tuple[PastNoise, ...] | None,
        noise: Noise,
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        eps = noise_in(x_t, x0, t)
        past = carry or ()
        x_s = extrapolated(x_t, x0, eps, t, s, list(zip(ADAMS_BASHFORTH[len(past)], past, strict=True)))
        return Step(x_s, x0, (PastNoise(t, eps), *past)[: self.order - 1])
