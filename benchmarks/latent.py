"""What the latents of pictures of 64 x 64 pixels save: a training step, and the memory of sampling, against pixels.

    python benchmarks/latent.py

An autoencoder is trained for a moment on scenes of coloured shapes; then a network of the same levels and widths, so of
nearly as many parameters, diffuses its latents, a quarter as long a side, and the pixels. CPU seconds are told, which
other load on the machine changes little, of whole training steps with their loss, gradients, optimiser and average.
The memory is what a process of its own holds at most while it samples and decodes, above what it held once the model
was loaded; Linux alone tells. What comes back of held-out pictures is in the receipt of the codec, as in its card.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

import polydiff
from polydiff.data.loader import batches
from polydiff.plugins.host import Host
from polydiff.recipe.load import load_recipe
from polydiff.training.assemble import Parts, assemble
from polydiff.training.order import Order
from polydiff.training.processes import launch
from polydiff.training.record import Run
from polydiff.training.step import stepper
from polydiff.training.train import train

CODEC = """
modality: image
codec: {{name: pixels, size: 64}}
autoencoder: {{name: autoencoder2d, channels: 16, multipliers: [1, 2, 4], blocks: [0, 1, 1]}}
data: {{source: {{name: scenes, size: 64, count: 2000}}}}
train:
  steps: {steps}
  batch: 16
  optimizer: {{lr: 2.0e-3, warmup: 10}}
  ema: {{decay: 0.9}}
  validation: {{every: 100000, samples: 32}}
  preview: {{every: 100000, samples: 2}}
"""

MODEL = """
modality: image
codec: {codec}
backbone: {{name: unet2d, channels: {channels}, multipliers: [1, 2, 2], blocks: 1}}
sample: {{steps: 4}}
data: {{source: {{name: scenes, size: 64, count: 2000}}}}
train: {{steps: 1000, batch: {batch}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codec-steps", type=int, default=60, help="of the autoencoder's training")
    parser.add_argument("--channels", type=int, default=32, help="base width of the networks")
    parser.add_argument("--batch", type=int, default=8, help="of a training step, and of sampling")
    parser.add_argument(
        "--turns", type=int, default=5, help="training steps measured of each, of which the median counts"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        receipt = train_codec(folder, arguments.codec_steps)
        print(f"codec after {arguments.codec_steps} steps: " + ", ".join(f"{k} {v:.3g}" for k, v in receipt.items()))
        codecs = {"pixels": "{name: pixels, size: 64}", "latents": f"{{name: latent, of: {folder / 'codec'}}}"}
        print(f"{'of':8} {'shape':>9} {'parameters':>11} {'CPU s a step':>13} {'s to encode':>12} {'MB to sample':>13}")
        seconds, memory = {}, {}
        for kind, codec in codecs.items():
            parts = parts_of(folder, codec, arguments)
            parts.model.save(folder / kind)
            shape = "x".join(map(str, parts.model.codec.shape))
            parameters = sum(p.numel() for p in parts.model.backbone.parameters())
            encoding = encoding_cost(parts)
            seconds[kind] = step_cost(parts, arguments.turns)
            memory[kind] = sampling_memory(folder / kind, arguments.batch)
            figures = f"{seconds[kind]:13.3f} {encoding:12.4f} {memory[kind] / 1e6:13.1f}"
            print(f"{kind:8} {shape:>9} {parameters:11,} {figures}")
        print(f"a step of latents is {seconds['pixels'] / seconds['latents']:.1f} times as fast, ", end="")
        print(f"its sampling takes {memory['latents'] / memory['pixels']:.2f} of the memory")


def train_codec(folder: Path, steps: int) -> dict[str, float]:
    """Train the autoencoder; give its receipt."""
    recipe = folder / "codec.yaml"
    recipe.write_text(CODEC.format(steps=steps))
    parts = assemble(load_recipe(recipe))
    run = Run(folder / "codec", parts.recipe)
    outcome = train(parts, run, launch(accelerator="cpu", precision="32-true"), host=Host())
    return outcome.progress.figures


def parts_of(folder: Path, codec: str, arguments: argparse.Namespace) -> Parts:
    recipe = folder / "model.yaml"
    recipe.write_text(MODEL.format(codec=codec, channels=arguments.channels, batch=arguments.batch))
    parts = assemble(load_recipe(recipe))
    assert isinstance(parts, Parts)
    return parts


def encoding_cost(parts: Parts) -> float:
    """Measure the CPU seconds of reading and encoding an item, which `data.cache` pays once."""
    begin = time.process_time()
    items = [parts.examples[position] for position in range(16)]
    return (time.process_time() - begin) / len(items)


def step_cost(parts: Parts, turns: int) -> float:
    """Measure the CPU seconds of a training step, its batch once read."""
    step = stepper(parts, launch(accelerator="cpu", precision="32-true"))
    order = Order(parts.recipe.train.batch, 1, process=0, processes=1)
    (batch,) = batches(parts.examples, order.from_step(0, 1))
    costs = []
    for index in range(turns + 1):  # the first allocates
        step.state.progress.step = index
        begin = time.process_time()
        step([batch], fraction=0.0)
        costs.append(time.process_time() - begin)
    return statistics.median(costs[1:])


def sampling_memory(model: Path, count: int) -> float:
    """Measure the bytes that a process holds at most while it samples, above those before; NaN where none can tell."""
    if sys.platform != "linux":
        return float("nan")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_sample, (model, count))


def _sample(folder: Path, count: int) -> float:
    torch.set_num_threads(1)
    model = polydiff.load(folder)
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is held now
    before = _status("VmRSS")
    model.generate(count, batch=count)
    return _status("VmHWM") - before


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * float(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    main()
