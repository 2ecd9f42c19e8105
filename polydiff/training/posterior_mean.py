"""Targets for positions that are a sample: what one stood for on average, not which of them it was."""

from __future__ import annotations

import torch
from torch import Tensor


def posterior_mean(
    x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Give each position's mean over all clean ones that could have become it by noise, and the noise that is left.

    Where positions are independent draws of one distribution, as a cloud's points are of a surface, which clean one a
    noisy one was is chance, and a network that is taught it learns only the mean over all. Taught that mean,

        E[x_0^i | x_t^i, x_0] = sum_j softmax_j(-|x_t^i - alpha x_0^j|^2 / (2 sigma^2)) x_0^j,

    it has the same optimum, in the limit of many positions, from targets with far less noise: a surface's points are
    free along it, and only what lies along its normal is left to learn. This is the stable target of Xu, Tong &
    Jaakkola 2023 (https://arxiv.org/abs/2302.00670), with the positions of one sample as the reference batch.

    Parameters
    ----------
    x0, eps
        (B, C, N), data and the noise of x_t = alpha x_0 + sigma eps.
    alpha, sigma
        (B, 1, 1).
    mask
        (B, 1, N), 1 where there is a position and 0 where padding; `None` is 1 everywhere.

    Returns
    -------
    tuple of Tensor
        The means and (x_t - alpha mean) / sigma, (B, C, N) each; where sigma is 0, `x0` and `eps` themselves. Takes
        memory that grows with N^2.
    """
    deviation = torch.where(sigma > 0, sigma, 1.0)
    with torch.autocast(x0.device.type, enabled=False):  # small differences of large products
        clean = alpha * x0
        # Of |x_t - clean|^2 / 2, what differs between the clean ones.
        distance = clean.square().sum(1, keepdim=True) / 2 - (clean + sigma * eps).transpose(1, 2) @ clean
        if mask is not None:
            distance = distance.masked_fill(mask == 0, torch.inf)
        mean = ((-distance / deviation**2).softmax(2) @ x0.transpose(1, 2)).transpose(1, 2)
    mean = torch.where(sigma > 0, mean, x0)
    return mean, eps + alpha * (x0 - mean) / deviation
