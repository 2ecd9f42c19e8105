"""How training scales: speed on several processes, waiting for data, memory, and what a GPU reaches.

    python benchmarks/scaling.py                              # all that this machine can do
    python benchmarks/scaling.py data --pictures 2000 --workers 1
    python benchmarks/scaling.py processes --strategy fsdp

Pictures are made for the occasion, in a folder that is removed. Each measurement has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import scaling_runs as runs
import torch
from PIL import Image

PROGRAM = Path(sys.executable).with_name("polydiff")

QUIET = ("train.validation.every=1000000", "train.preview.every=1000000", "train.checkpoint.every=1000000")
"""Nothing but steps."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts: dict[str, Callable[[argparse.Namespace, Path], None]] = {
        "processes": processes, "data": data, "memory": memory, "gpu": gpu
    }  # fmt: skip
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; all by default")
    parser.add_argument(
        "--steps", type=int, default=200, help="that are made for each figure, the first half to warm up"
    )
    parser.add_argument("--batch", type=int, default=32, help="examples in a step")
    parser.add_argument("--strategy", default="ddp", help="of several processes: ddp or fsdp")
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2, help="processes that read")
    parser.add_argument("--large", action="store_true", help="the network of the GPU's figures for memory, too")
    options = parser.parse_args()
    if unknown := {*options.parts} - parts.keys():
        parser.error(f"no part {', '.join(unknown)}: there are {', '.join(parts)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.parts or parts:
            print(f"# {name}")
            parts[name](options, Path(folder))


def processes(options: argparse.Namespace, folder: Path) -> None:
    """Print samples/s of the whole command on 1, 2, ... processes: all GPUs, or 2 on a CPU."""
    available = torch.cuda.device_count() or 2
    counts = [count for count in (1, 2, 4, 8) if count <= max(available, 1)]
    source = pictures(folder, 2 * options.batch)
    base = None
    for count in counts:
        out = folder / f"processes-{count}"
        strategy = options.strategy if count > 1 else "auto"
        settings = (*runs.SMALL, f"data.source.path={source}", f"train.steps={options.steps}", *QUIET)
        command = [PROGRAM, "train", "folder-64", *settings, f"train.batch={options.batch}", "--out", out]
        subprocess.run([*command, "--devices", str(count), "--strategy", strategy], check=True, capture_output=True)
        rate = rate_of(out, options)
        base = base or rate
        print(f"{count} processes ({strategy}): {rate:8.1f} samples/s, {rate / base:.2f} times one")


def rate_of(run: Path, options: argparse.Namespace) -> float:
    """Give the samples/s of a run's second half."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    at = {line["step"]: line["seconds"] for line in lines if line["kind"] == "train"}
    middle = max(step for step in at if step <= options.steps // 2)
    return options.batch * (options.steps - middle) / (at[options.steps] - at[middle])


def data(options: argparse.Namespace, folder: Path) -> None:
    """Print the share of time that training waits for pictures, in the first epoch and after it."""
    source = pictures(folder, options.pictures)
    for cache in (None, folder / "cache"):
        first, after = alone(
            runs.waiting, source, options.batch, options.workers, cache, folder / f"data-{cache is None}"
        )
        name = "data.cache" if cache else "no cache"
        print(f"{options.workers} workers, {name}: waiting for data {first:.1%} of epoch 1, {after:.1%} of epoch 2")


def memory(options: argparse.Namespace, folder: Path) -> None:
    """Print the peak memory of a few steps with and without gradient checkpointing."""
    source = pictures(folder, 2 * options.batch)
    for checkpoint in (False, True):
        peak, what = alone(runs.peak, source, options.batch, checkpoint, options.large)
        print(f"gradient checkpointing {'on ' if checkpoint else 'off'}: {peak / 2**20:8.0f} MiB {what}")


def gpu(options: argparse.Namespace, folder: Path) -> None:
    """Print what a GPU reaches with a network of about 105 million parameters."""
    if not torch.cuda.is_available():
        print("no GPU here")
        return
    source = pictures(folder, max(2_000, 4 * options.batch))
    for compiled in (False, True):
        found = alone(
            runs.on_gpu, source, options.batch, options.workers, options.steps, compiled, folder / f"gpu-{compiled}"
        )
        share = f", {found['flops'] / found['peak']:.0%} of the peak" if found["peak"] else ""
        print(
            f"{'compiled' if compiled else 'eager':8} {found['parameters'] / 1e6:.0f} M parameters, bf16, 64 x 64: "
            f"{found['samples']:.1f} samples/s, {found['flops'] / 1e12:.1f} TFLOP/s{share}, waiting for data "
            f"{found['waiting']:.1%}; sampling {found['sampling']:.2f} images/s at 25 steps"
        )


def alone(task: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(task, *args).result()


def pictures(folder: Path, count: int) -> Path:
    """Make PNG files of soft noise, 64 x 64, of two labels."""
    source = folder / f"pictures-{count}"
    if not source.exists():
        rng = np.random.default_rng(0)
        for label in ("dark", "light"):
            (source / label).mkdir(parents=True)
        for i in range(count):
            coarse = rng.integers(0, 128, (8, 8, 3)) + 127 * (i % 2)
            picture = Image.fromarray(coarse.astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
            picture.save(source / ("dark", "light")[i % 2] / f"{i:06d}.png", compress_level=1)
    return source


if __name__ == "__main__":
    main()
