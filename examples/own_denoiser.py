"""A denoiser of your own: samplers and guidances ask for no more than a schedule and an estimate of x_0.

This one knows its data by heart: E[x_0 | x_t] over a finite set of points is their mean, weighted by how likely each is
to have become x_t. Sampling brings every noise back to a point: a network that learned perfectly would memorise.
"""

import math

import torch
from torch import Tensor

import polydiff


class Memory(polydiff.Denoiser):
    """The exact denoiser of a set of points, (N, D)."""

    def __init__(self, points: Tensor, schedule) -> None:
        super().__init__()
        self.schedule = schedule
        self.register_buffer("points", points)

    def forward(self, x_t: Tensor, t: Tensor, cond: polydiff.Condition | None = None) -> Tensor:
        """Weigh the points by N(x_t; alpha point, sigma^2)."""
        alpha, sigma = (c.to(x_t) for c in self.schedule(t))
        distance2 = torch.cdist(x_t, alpha * self.points) ** 2
        return torch.softmax(-distance2 / (2 * sigma**2), 1) @ self.points


turns = torch.linspace(0, 2 * math.pi, 13)[:-1]
clock = torch.stack([turns.sin(), turns.cos()], 1)

for name in ("linear", "flow"):
    schedule = polydiff.schedule(name)
    x_1 = polydiff.prior(schedule, polydiff.Seeds(0, range(1200)), (2,))
    x_0 = polydiff.sampler("dpm++2m").sample(Memory(clock, schedule), x_1, steps=30)
    distance, hour = torch.cdist(x_0, clock).min(1)
    print(f"{name}: {hour.bincount(minlength=12).tolist()} samples at each hour, at most {distance.max():.1e} from it")
