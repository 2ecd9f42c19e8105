"""What `scaling.py` measures, each in a process of its own."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from polydiff.core.noise import Seeds
from polydiff.plugins.host import Host, host
from polydiff.recipe.load import load_recipe
from polydiff.training.assemble import Parts, assemble
from polydiff.training.loop import Loop
from polydiff.training.processes import launch
from polydiff.training.record import Run
from polydiff.training.rehearsal import rehearse
from polydiff.training.step import Stepper
from polydiff.training.train import train

SMALL = (
    "codec.size=32", "backbone={name: unet2d, channels: 16, multipliers: [1, 2], blocks: 1, attention: []}",
    "data.augment=[]", "data.holdout=0", "data.workers=0", "train.optimizer.warmup=10",
)  # fmt: skip
"""For a CPU."""

LARGE = (
    "backbone={name: unet2d, channels: 128, multipliers: [1, 2, 2, 4], blocks: 3}",
    "backbone.attention=[-3, -2, -1]", "backbone.head_width=64",
    "data.augment=[]", "data.holdout=0", "train.precision=bf16-mixed",
)  # fmt: skip

QUIET = ("train.validation.every=1000000", "train.preview.every=1000000", "train.checkpoint.every=1000000")

PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "4090": 165e12}
"""Dense bf16 FLOP/s that makers state, by what their GPUs' names contain."""

SAMPLED = 64


def parts_of(source: Path, batch: int, *overrides: str) -> Parts:
    settings = (f"data.source.path={source}", f"train.batch={batch}", *QUIET, *overrides)
    parts = assemble(load_recipe(host().preset("folder-64"), settings))
    assert isinstance(parts, Parts)
    return parts


class Clock:
    """Where the time of a loop goes: at the end of each step, all of it and that spent reading."""

    def __init__(self) -> None:
        self.reading = 0.0
        self.steps: list[tuple[float, float]] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measure every run while this lasts."""
        read, step = Loop._read, Stepper.__call__

        def timed_read(loop: Loop, stream: Any) -> Any:
            began = time.perf_counter()
            result = read(loop, stream)
            self.reading += time.perf_counter() - began
            return result

        def timed_step(stepper: Stepper, *args: Any) -> Any:
            result = step(stepper, *args)
            self.steps.append((time.perf_counter(), self.reading))
            return result

        Loop._read, Stepper.__call__ = timed_read, timed_step  # type: ignore[method-assign]
        try:
            yield
        finally:
            Loop._read, Stepper.__call__ = read, step  # type: ignore[method-assign]

    def between(self, first: int, last: int) -> tuple[float, float]:
        """Give the seconds from the end of one step to that of another, and those spent reading."""
        (began, read), (ended, read_at_end) = self.steps[first], self.steps[last]
        return ended - began, read_at_end - read


def run(parts: Parts, out: Path) -> Clock:
    """Train, and tell where the time goes."""
    clock = Clock()
    processes = launch(precision=parts.recipe.train.precision)
    with clock.watching():
        train(parts, Run(out, parts.recipe), processes, host=Host())
    return clock


def waiting(source: Path, batch: int, workers: int, cache: Path | None, out: Path) -> tuple[float, float]:
    """Give the shares of time that two epochs, but for their first step, wait for data."""
    torch.set_num_threads(1)
    overrides = [*SMALL, f"data.workers={workers}", *([f"data.cache={cache}"] if cache else [])]
    steps = len(parts_of(source, batch, *overrides, "train.steps=1").examples) // batch
    clock = run(parts_of(source, batch, *overrides, f"train.steps={2 * steps}"), out)
    (first, read_first), (after, read_after) = clock.between(0, steps - 1), clock.between(steps - 1, 2 * steps - 1)
    return read_first / first, read_after / after


def peak(source: Path, batch: int, checkpoint: bool, large: bool) -> tuple[int, str]:
    """Give the most memory, in bytes, in a few steps, and what it is: on a GPU all of it, on a CPU what is added."""
    settings = (
        *(LARGE if large else SMALL),
        "train.steps=3",
        "data.workers=0",
        f"backbone.checkpoint={str(checkpoint).lower()}",
    )
    parts = parts_of(source, batch, *settings)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rehearse(parts, launch(precision=parts.recipe.train.precision))
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated(), "allocated on the GPU"
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, "more than before the first step"


def on_gpu(source: Path, batch: int, workers: int, steps: int, compiled: bool, out: Path) -> dict[str, float]:
    """Train and sample the large network."""
    torch.set_float32_matmul_precision("high")
    overrides = (*LARGE, f"data.workers={workers}", f"train.steps={steps}", f"train.compile={str(compiled).lower()}")
    parts = parts_of(source, batch, *overrides)
    seconds, reading = run(parts, out).between(steps // 2, steps - 1)
    made = batch * (steps - 1 - steps // 2)
    name = torch.cuda.get_device_name()
    return {
        "parameters": sum(p.numel() for p in parts.model.parameters()),
        "samples": made / seconds,
        "flops": made / seconds * flops_per_sample(parts, batch),
        "peak": next((peak for key, peak in PEAKS.items() if key in name), 0.0),
        "waiting": reading / seconds,
        "sampling": sampling_rate(parts),
    }


def flops_per_sample(parts: Parts, batch: int) -> float:
    """Count the floating-point operations of a sample's forward and backward pass; recomputation is not among them."""
    backbone = parts.model.backbone
    x = torch.randn(batch, *parts.model.codec.shape, device=parts.model.device)
    compiled, backbone._compiled_call_impl = backbone._compiled_call_impl, None
    with FlopCounterMode(display=False) as counter, torch.autocast(x.device.type, torch.bfloat16):
        cond = parts.model.condition({"label": [0] * batch})
        backbone(x, torch.zeros(batch, device=x.device), cond).sum().backward()
    backbone._compiled_call_impl = compiled
    return counter.get_total_flops() / batch


def sampling_rate(parts: Parts) -> float:
    """Give images/s of a batch as `polydiff generate` draws it, in 32 bits, once warm."""
    model, rate = parts.model.eval(), 0.0
    for seed in range(2):
        torch.accelerator.synchronize()
        began = time.perf_counter()
        model.sample(Seeds(seed, range(SAMPLED)), {"label": [0] * SAMPLED})
        torch.accelerator.synchronize()
        rate = SAMPLED / (time.perf_counter() - began)
    return rate
