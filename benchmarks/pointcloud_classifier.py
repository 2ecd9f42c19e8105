"""A classifier of shapes that learns from real ones alone: a small PointNet (Qi et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from polydiff_pointcloud.cloud import PointCloud
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout

STEPS, BATCH = 350, 48

FEWEST, JITTER = 128, 0.01
"""Points of a shape in training, at least; and how far each is moved: a kind does not depend on these."""


class Classifier(nn.Module):
    """Tells kinds of shapes apart, whatever the number and the order of their points."""

    def __init__(self, kinds: Sequence[str], width: int = 128) -> None:
        super().__init__()
        self.kinds = list(kinds)
        layers: list[nn.Module] = [nn.Linear(3, 64)]
        for one, other in ((64, 64), (64, width), (width, width)):
            layers += [nn.ReLU(), nn.Linear(one, other)]
        self.points = nn.Sequential(*layers)
        self.hidden, self.head = nn.Linear(2 * width, 64), nn.Linear(64, len(self.kinds))

    def forward(self, x: Tensor) -> Tensor:
        """Give logits of (B, N, 3)."""
        h = self.points(x)
        h = self.hidden(torch.cat([h.amax(1), h.mean(1)], 1)).relu()
        logits: Tensor = self.head(dropout(h, 0.2, self.training))
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
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (BATCH,))
        chosen = torch.randperm(x.shape[1])[: int(torch.randint(FEWEST, x.shape[1] + 1, ()))]
        some = x[rows][:, chosen]
        optimizer.zero_grad()
        cross_entropy(net(some + JITTER * torch.randn_like(some)), labels[rows]).backward()
        optimizer.step()
        decay.step()
    return net.eval()
