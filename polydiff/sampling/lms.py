"""The linear multistep method in the noise level, one evaluation a step."""

from __future__ import annotations

from polydiff.sampling.deis import DEIS


class LMS(DEIS):
    """k-diffusion's LMS, https://github.com/crowsonkb/k-diffusion: Adams and Bashforth's method on EDM's ODE.

    That is DEIS with polynomials in rho = sigma / alpha.

    Parameters
    ----------
    order
        1 to 4.
    """

    def __init__(self, *, order: int = 4) -> None:
        super().__init__(order=order, variable="rho")
