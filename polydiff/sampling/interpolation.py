"""Between latents."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.core.denoiser import per_sample
from polydiff.errors import UsageError


def slerp(a: Tensor, b: Tensor, share: Tensor | float) -> Tensor:
    """Interpolate spherically, (sin((1 - u) theta) a + sin(u theta) b) / sin(theta), with theta the angle between a and
    b (Shoemake 1985, https://doi.org/10.1145/325165.325242).

    Independent noises are at a right angle, nearly, and what lies between them then has their length: a straight line
    would pass through latents that are too short to be noise.

    Parameters
    ----------
    a, b
        (B, *), each example a latent of its own.
    share
        u, () or (B,): 0 is a, 1 is b.

    Raises
    ------
    UsageError
        When two latents are opposite: no way between them is the shortest.
    """
    u = per_sample(torch.as_tensor(share, dtype=a.dtype, device=a.device), a)
    rows = (x.reshape(len(x), -1) for x in (a, b))
    unit_a, unit_b = (x / x.norm(dim=1, keepdim=True) for x in rows)
    # Of the angle between unit vectors, half the distance is the sine of half: precise where they are near, too.
    theta = per_sample(2 * torch.asin(((unit_a - unit_b).norm(dim=1) / 2).clamp(max=1)), a)
    if (torch.pi - theta < 1e-3).any():
        raise UsageError("slerp: two latents are opposite, and no way between them is the shortest")
    return _sine_ratio(1 - u, theta) * a + _sine_ratio(u, theta) * b


def _sine_ratio(u: Tensor, theta: Tensor) -> Tensor:
    """Give sin(u theta) / sin(theta), which is u for theta -> 0."""
    return u * torch.sinc(u * theta / torch.pi) / torch.sinc(theta / torch.pi)
