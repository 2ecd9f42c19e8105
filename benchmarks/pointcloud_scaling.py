"""What does a training step of the networks of points cost against the number of points? See `pointcloud.py`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from polydiff_pointcloud.latent_set import LatentSet
from polydiff_pointcloud.pv_unet import PVUNet
from torch import Tensor

from polydiff.core.condition import ConditionDims
from polydiff.nn.backbone import Backbone

NETWORKS: Mapping[str, type[LatentSet | PVUNet]] = {"latent-set": LatentSet, "pv-unet": PVUNet}
POINTS = (512, 1024, 2048, 4096, 8192)
BATCH = 8
VECTOR = 128
"""Width of the condition's vector, as that of a label."""

Costs = Mapping[str, Sequence[float]]
"""CPU seconds of a step for each number of points, by network."""


def scaling(picture: Path, points: Sequence[int] = POINTS, turns: int = 5) -> Costs:
    """Measure training steps (forward, backward, optimiser) on one thread, print a table, and plot it.

    Parameters
    ----------
    picture
        The PNG to write.
    points
        Numbers of points of a cloud; a batch has 8.
    turns
        Steps measured of each, of which the least counts: CPU time, so that other load has little effect.
    """
    torch.set_num_threads(1)
    costs = {name: [step_cost(kind, count, turns) for count in points] for name, kind in NETWORKS.items()}
    report(points, costs)
    plot(points, costs, picture)
    print(f"plotted in {picture}")
    return costs


def step_cost(kind: type[LatentSet | PVUNet], points: int, turns: int) -> float:
    """Measure the CPU seconds of a step of the network with its default options."""
    torch.manual_seed(0)
    network = kind(3, ConditionDims(vector=VECTOR))
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    x, log_snr = torch.randn(BATCH, 3, points), torch.linspace(-10, 10, BATCH)
    costs = []
    for _ in range(turns + 1):  # the first allocates
        begin = time.process_time()
        _step(network, optimizer, x, log_snr)
        costs.append(time.process_time() - begin)
    return min(costs[1:])


def _step(network: Backbone, optimizer: torch.optim.Optimizer, x: Tensor, log_snr: Tensor) -> None:
    (network(x, log_snr) - x).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def line(points: Sequence[int], costs: Sequence[float]) -> tuple[float, float, float]:
    """Fit cost = slope points + start, and tell how much of the variance is explained (R^2)."""
    slope, start = np.polyfit(points, costs, 1)
    rest = np.asarray(costs) - (slope * np.asarray(points) + start)
    return float(slope), float(start), float(1 - rest.var() / np.var(costs))


def report(points: Sequence[int], costs: Costs) -> None:
    """Print CPU seconds against points, with the straight line through them and the exponent at the upper end."""
    print(f"CPU s per training step of {BATCH} clouds, one thread")
    print("network     " + "".join(f"{count:>9}" for count in points) + "    s per 1,000    R^2   last doubling")
    for name, each in costs.items():
        slope, _, explained = line(points, each)
        row = "".join(f"{cost:>9.3f}" for cost in each)
        print(f"{name:<12}{row}{1000 * slope:>15.3f}{explained:>7.4f}{each[-1] / each[-2]:>12.2f} x")


def plot(points: Sequence[int], costs: Costs, picture: Path) -> None:
    """Plot the costs and their straight lines."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, each in costs.items():
        slope, start, explained = line(points, each)
        (drawn,) = axes.plot(points, each, "o", label=f"{name}: R² of a straight line {explained:.4f}")
        axes.plot([0, points[-1]], [start, start + slope * points[-1]], color=drawn.get_color(), linewidth=1)
    axes.set(xlabel="points of a cloud", ylabel=f"CPU s per training step of {BATCH}", xlim=(0, None), ylim=(0, None))
    axes.legend()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=Path("scaling.png"))
    scaling(parser.parse_args().picture)
