"""A classifier of shapes that learns from real ones alone: a small PointNet (Qi et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from polydiff_pointcloud.cloud import PointCloud
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

STEPS, BATCH, RATE = 400, 32, 5e-3

FEWEST, JITTER = 200, 0.01
"""Points of a shape in training, at least; and how far each is moved: a kind does not depend on these."""


class Classifier(nn.Module):
    """Tells kinds of shapes apart, whatever the number and the order of their points."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__()
        self.kinds = list(kinds)
        layers: list[nn.Module] = []
        for width, to in ((3, 64), (64, 128), (128, 256)):
            layers += [nn.Conv1d(width, to, 1), nn.BatchNorm1d(to), nn.ReLU()]
        self.points = nn.Sequential(*layers)
        self.hidden = nn.Sequential(nn.Linear(512, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3))
        self.head = nn.Linear(128, len(self.kinds))

    def forward(self, x: Tensor) -> Tensor:
        """Give logits of (B, N, 3)."""
        h = self.points(x.mT)
        logits: Tensor = self.head(self.hidden(torch.cat([h.amax(2), h.mean(2)], 1)))
        return logits

    @torch.no_grad()
    def accuracy(self, clouds: Sequence[PointCloud], kinds: Sequence[str]) -> float:
        """Give the share of clouds taken for their kind."""
        found = [self.kinds[int(self(torch.from_numpy(cloud.points)[None]).argmax())] for cloud in clouds]
        return float(np.mean([one == other for one, other in zip(found, kinds, strict=True)]))


def train_classifier(clouds: Sequence[PointCloud], kinds: Sequence[str]) -> Classifier:
    """Train on clouds of one number of points."""
    torch.manual_seed(0)
    net = Classifier(sorted(set(kinds)))
    x = torch.from_numpy(np.stack([cloud.points for cloud in clouds]))
    labels = torch.tensor([net.kinds.index(kind) for kind in kinds])
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-2)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (BATCH,))
        chosen = torch.randperm(x.shape[1])[: int(torch.randint(FEWEST, x.shape[1] + 1, ()))]
        some = x[rows][:, chosen]
        optimizer.zero_grad()
        cross_entropy(net(some + JITTER * torch.randn_like(some)), labels[rows]).backward()
        optimizer.step()
        cycle.step()
    return net.eval()
