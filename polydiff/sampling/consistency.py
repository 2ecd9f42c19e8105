"""Multistep sampling of consistency models: to the data and back to less noise."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, denoise


class Consistency(Sampler):
    """Song et al. 2023, https://arxiv.org/abs/2303.01469, algorithm 1, on any schedule: x_s = alpha_s x0 + sigma_s z.

    For denoisers that map x_t to the end of its trajectory, as consistency models do: then every step has the exact
    distribution, however many there are. A mean, E[x_0 | x_t], is not such a map: its samples lack variance.
    """

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        return Step(torch.add(s.alpha * x0, noise(), alpha=s.sigma) if s.sigma > 0 else s.alpha * x0, x0)
