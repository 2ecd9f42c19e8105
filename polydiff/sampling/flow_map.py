"""Few-step sampling with flow maps: each step jumps along the trajectory, however far."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, advance, denoise


class FlowMap(Sampler):
    """x_s = x_t + (s - t) u(x_t, s, t) with the average velocity u (Geng et al. 2025, https://arxiv.org/abs/2505.13447,
    section 4.1), on any schedule: `ddim` that tells the denoiser where each step ends.

    For denoisers that know of a flow map, `Denoiser.toward`. Where they know the exact one, every state is exact.
    """

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: Any, noise: Noise
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser.toward(torch.tensor(s.t, dtype=torch.float64)), x_t, t, cond)
        return Step(advance(x_t, x0, t, s), x0)
