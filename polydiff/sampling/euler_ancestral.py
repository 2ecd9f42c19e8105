"""Euler's method with fresh noise in every step."""

from __future__ import annotations

from polydiff.sampling.ddim import DDIM


class EulerAncestral(DDIM):
    """k-diffusion's ancestral sampler, https://github.com/crowsonkb/k-diffusion, which is DDIM with noise.

    In rho = sigma / alpha, a step of Euler's method goes to rho_down, and noise of rho_up brings it back to rho_s,
    where rho_up = eta rho_s sqrt(1 - (rho_s / rho_t)^2) and rho_down^2 = rho_s^2 - rho_up^2. DDIM's v is alpha_s
    rho_up.

    Parameters
    ----------
    eta
        0 to 1: the share of the noise; 1 is `ddpm`.
    """

    def __init__(self, *, eta: float = 1.0) -> None:
        super().__init__(eta=eta)
