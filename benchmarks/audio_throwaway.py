"""A plain 1-D U-Net of frames, trained plainly: what an afternoon's script would be, to measure models of speech by.

4.6 million parameters at three resolutions of 96, 192 and 192 channels; strided convolutions down, nearest neighbours
up; group normalisation, the noise level and the word added in each block, no attention. v prediction on the cosine
schedule at uniform times, a tenth of the words left out, AdamW at a constant 1e-3, 900 steps of 32; of the weights the
moving average. Sampled by 50 steps of DDIM at guidance 1.5.
"""

from __future__ import annotations

import copy
import math
import time

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm, interpolate, mse_loss, silu

STEPS, BATCH, DROPPED = 900, 32, 0.1
SAMPLING_STEPS, GUIDANCE = 50, 1.5
WIDTHS, EMBEDDING = (96, 192, 192), 256


class Residual(nn.Module):
    """Two convolutions of 3 frames, between which the embedding is added."""

    def __init__(self, width: int, to: int) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(width, to, 3, padding=1), nn.Conv1d(to, to, 3, padding=1)
        self.told, self.skip = nn.Linear(EMBEDDING, to), nn.Conv1d(width, to, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Map (B, width, frames) to (B, to, frames)."""
        h = self.one(silu(group_norm(x, 8))) + self.told(told)[..., None]
        return self.two(silu(group_norm(h, 8))) + self.skip(x)


class Throwaway(nn.Module):
    """The network."""

    def __init__(self, bins: int, words: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words + 1, EMBEDDING)  # the last is none
        self.time = nn.Sequential(nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING))
        self.stem, self.head = nn.Conv1d(bins, WIDTHS[0], 3, padding=1), nn.Conv1d(WIDTHS[0], bins, 3, padding=1)
        self.down, self.shrink, self.grow, self.up = (nn.ModuleList() for _ in range(4))
        for width, below in zip(WIDTHS, (*WIDTHS[1:], WIDTHS[-1]), strict=True):
            self.down.append(nn.ModuleList([Residual(width, width), Residual(width, width)]))
            self.shrink.append(nn.Conv1d(width, below, 4, stride=2, padding=1))
            self.grow.insert(0, nn.Conv1d(below, width, 3, padding=1))
            self.up.insert(0, nn.ModuleList([Residual(2 * width, width), Residual(width, width)]))
        self.middle = nn.ModuleList([Residual(WIDTHS[-1], WIDTHS[-1]) for _ in range(2)])

    def forward(self, x: Tensor, t: Tensor, words: Tensor) -> Tensor:
        """Predict v of log magnitudes, (B, bins, frames), at times in [0, 1], (B,), for words, (B,)."""
        angles = 1000 * t[:, None] * torch.logspace(0, -4, EMBEDDING // 2)
        told = silu(self.time(torch.cat((angles.sin(), angles.cos()), 1)) + self.words(words))
        h, skips = self.stem(x), []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            for block in blocks:
                h = block(h, told)
            skips.append(h)
            h = shrink(h)
        for block in self.middle:
            h = block(h, told)
        for blocks, grow in zip(self.up, self.grow, strict=True):
            h = torch.cat((grow(interpolate(h, scale_factor=2.0)), skips.pop()), 1)
            for block in blocks:
                h = block(h, told)
        return self.head(silu(group_norm(h, 8)))


def train_throwaway(x: Tensor, labels: Tensor, words: int) -> Throwaway:
    """Train on encoded clips, (n, bins, frames), with their words, (n,); give the moving average."""
    torch.manual_seed(0)
    net = Throwaway(x.shape[1], words)
    average = copy.deepcopy(net).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    start = time.perf_counter()
    for step in range(STEPS):
        rows = torch.randint(len(x), (BATCH,))
        told = torch.where(torch.rand(BATCH) < DROPPED, words, labels[rows])
        t, eps = torch.rand(BATCH), torch.randn(BATCH, *x.shape[1:])
        alpha, sigma = _level(t[:, None, None])
        optimizer.zero_grad()
        mse_loss(net(alpha * x[rows] + sigma * eps, t, told), alpha * eps - sigma * x[rows]).backward()
        optimizer.step()
        decay = min(0.999, (1 + step) / (10 + step))
        for mean, new in zip(average.parameters(), net.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)
    millions = sum(parameter.numel() for parameter in net.parameters()) / 1e6
    print(f"throwaway, {millions:.1f} million parameters: {STEPS} steps in {time.perf_counter() - start:.0f} s")
    return average


@torch.no_grad()
def sample_throwaway(net: Throwaway, labels: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Draw samples, (n, bins, frames), of words, (n,)."""
    x = torch.randn(len(labels), *shape, generator=torch.Generator().manual_seed(0))
    none = torch.full_like(labels, net.words.num_embeddings - 1)
    times = torch.linspace(1, 0, SAMPLING_STEPS + 1)
    for t, s in zip(times[:-1], times[1:], strict=True):
        at = t.expand(len(x))
        v = torch.lerp(net(x, at, none), net(x, at, labels), GUIDANCE)
        (alpha, sigma), (next_alpha, next_sigma) = _level(t), _level(s)
        x = next_alpha * (alpha * x - sigma * v) + next_sigma * (sigma * x + alpha * v)
    return x


def _level(t: Tensor) -> tuple[Tensor, Tensor]:
    return (t * math.pi / 2).cos(), (t * math.pi / 2).sin()
