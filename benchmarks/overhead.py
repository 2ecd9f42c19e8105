"""What the sampling loop costs beyond its network evaluations, at three model sizes.

    python benchmarks/overhead.py

The same denoiser is evaluated at the same times bare and by `dpm++2m`, in turns, so that a drift of the machine's speed
falls on both; the median of the ratios is what counts. The last line is the loop alone, around a denoiser that does
nothing: on a busy machine it says more than the differences above it.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

import polydiff
from polydiff.core.condition import ConditionDims
from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.noise import Seeds
from polydiff.core.prediction import prediction
from polydiff.plugins.host import host
from polydiff.plugins.specs import BackboneSpec
from polydiff.sampling.grid import time_grid
from polydiff.sampling.sampler import prior

SIZES = {"small": (16, (1, 8, 8)), "medium": (32, (3, 16, 16)), "large": (64, (3, 32, 32))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="to measure each size for")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    print(f"{'model':8} {'parameters':>11} {'bare':>10} {'sampled':>10} {'overhead':>9}")
    for name, (channels, shape) in SIZES.items():
        measure(name, channels, shape, arguments)
    print(f"loop alone {1e6 * loop_alone(arguments):.0f} us a step")


def measure(name: str, channels: int, shape: tuple[int, ...], arguments: argparse.Namespace) -> None:
    unet = host().load(host().find(BackboneSpec, "unet2d"))
    backbone = unet(data_channels=shape[0], condition=ConditionDims(), channels=channels).eval()
    schedule = polydiff.schedule("cosine")
    denoiser = NetworkDenoiser(backbone, schedule, prediction("v"))
    sampler = polydiff.sampler("dpm++2m")
    x_1 = prior(schedule, Seeds(0, range(arguments.batch)), shape)
    times = time_grid("half-log-snr", schedule, arguments.steps)

    def bare() -> None:
        with torch.no_grad():
            for t in times[:-1]:
                denoiser(x_1, t)

    def sampled() -> None:
        sampler.sample(denoiser, x_1, times=times)

    bare()
    sampled()
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + arguments.seconds
    while time.perf_counter() < end:
        order = (bare, sampled) if len(pairs) % 2 else (sampled, bare)
        took = {run: seconds(run) for run in order}
        pairs.append((took[bare], took[sampled]))
    ratio = statistics.median(b / a for a, b in pairs)
    size = sum(p.numel() for p in backbone.parameters())
    a, b = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{name:8} {size:11,} {a:7.1f} ms {b:7.1f} ms {100 * (ratio - 1):+8.2f}%")


class Nothing(polydiff.Denoiser):
    """Costs nothing."""

    schedule = polydiff.schedule("cosine")

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: polydiff.Condition | None = None) -> torch.Tensor:
        """Give x_t back."""
        return x_t


def loop_alone(arguments: argparse.Namespace) -> float:
    sampler, denoiser = polydiff.sampler("dpm++2m"), Nothing()
    x_1 = prior(denoiser.schedule, Seeds(0, range(arguments.batch)), SIZES["small"][1])
    times = time_grid("half-log-snr", denoiser.schedule, arguments.steps)
    runs = [seconds(lambda: sampler.sample(denoiser, x_1, times=times)) for _ in range(200)]
    return statistics.median(runs) / arguments.steps


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
