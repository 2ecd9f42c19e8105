"""How good are the digits of a trained model? `polydiff train digits --out runs/digits`, then

    python benchmarks/digits.py runs/digits
    python benchmarks/digits.py runs/digits --diffusers 4
    python benchmarks/digits.py runs/digits --student runs/digits-4

Judged are 1,000 samples, 100 of each label, at 20 dpm++2m steps and guidance 1.5:

(a) the share that a classifier of real training digits takes for the label asked for,
(b) the unbiased kernel MMD^2 to the digits that the run held out, k(a, b) = exp(-0.4 |a - b|^2) on pixels in [0, 1],
(c) the median distance to the nearest training digit; that of memorised samples would be below that of held-out digits.

The guidance is the recipe's, at that scale; where the recipe limits it to an interval, plain guidance is judged, too.
Beside them: those of real digits and, with `--diffusers`, of diffusers' UNet2DModel trained for so many minutes here;
with `--student`, of what `polydiff distill` made of the run, and of what it was made of: 32 ddim steps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, pad

import polydiff
from polydiff.data.codec import Codec
from polydiff.data.split import split
from polydiff.metrics.mmd import kernel_mmd2
from polydiff.metrics.neighbours import nearest_distances
from polydiff.model import Model
from polydiff.model.settings import chain
from polydiff.plugins.specs import SourceSpec
from polydiff.recipe.build import build
from polydiff.recipe.component import Component
from polydiff.recipe.load import load_recipe

STEPS, GUIDANCE = 20, 1.5
TAUGHT = 32
BATCH = 128


@dataclass(frozen=True)
class Digits:
    """Pictures (n, 1, 8, 8) in [-1, 1] and their classes (n,)."""

    x: Tensor
    labels: Tensor

    @property
    def pixels(self) -> Tensor:
        """(n, 64) in [0, 1]."""
        return self.x.add(1).div(2).flatten(1)

    def batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw some of them."""
        rows = torch.randint(len(self.x), (BATCH,), generator=generator)
        return self.x[rows], self.labels[rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of the preset `digits`")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--diffusers", type=float, metavar="MINUTES", help="train diffusers' UNet2DModel for so long, too"
    )
    parser.add_argument("--student", type=Path, action="append", default=[], help="folder of a student of the run")
    options = parser.parse_args()
    model = polydiff.load(options.run)
    train, held_out = real_digits(options.run, model.codec)
    classifier = train_classifier(train)
    labels = torch.arange(options.samples) % 10
    contestants = {"held-out digits": held_out, "training digits": train}

    def enter(name: str, model: Model, **settings: Any) -> None:
        start = time.perf_counter()
        contents = model.generate(options.samples, label="all", seed=options.seed, **settings)
        print(f"{name}: {options.samples} samples in {time.perf_counter() - start:.1f} s")
        contestants[name] = Digits(torch.stack([model.codec.encode(each) for each in contents]), labels)

    for name, guidance in guidances(model).items():
        enter(name, model, sampler="dpm++2m", steps=STEPS, guidance=guidance)
    if options.student:
        recipe = chain(model.config.sample.guidance, GUIDANCE)
        enter(f"polydiff, ddim {TAUGHT}", model, sampler="ddim", steps=TAUGHT, guidance=recipe)
    for folder in options.student:
        student = polydiff.load(folder)
        enter(f"student {folder.name}, {student.config.sample.steps} steps", student, guidance=GUIDANCE)
    if options.diffusers:
        contestants |= diffusers_samples(train, labels, options.diffusers)
    report(contestants, classifier)


def guidances(model: Model) -> dict[str, list[Component]]:
    """Give the recipe's guidance at the scale that is judged, and the plain one where that differs."""
    recipe = chain(model.config.sample.guidance, GUIDANCE)
    plain = [Component("cfg", {"scale": GUIDANCE, "interval": [0.0, 1.0], "rescale": 0.0})]
    name = f"polydiff, dpm++2m {STEPS}"
    return {name: recipe} if recipe == plain else {name: recipe, f"{name}, plain guidance": plain}


def real_digits(run: Path, codec: Codec) -> tuple[Digits, Digits]:
    """Give the digits that the run trained on and those that it held out."""
    recipe = load_recipe(run / "recipe.yaml")
    source = build(SourceSpec, recipe.data.source, modality=recipe.modality)
    x = torch.stack([codec.encode(source[i].content) for i in range(len(source))])
    labels = torch.tensor([int(source.label(i)) for i in range(len(source))])
    train, held_out = (torch.from_numpy(indices) for indices in split(len(source), recipe.data.holdout))
    return Digits(x[train], labels[train]), Digits(x[held_out], labels[held_out])


def train_classifier(train: Digits, steps: int = 1500) -> nn.Module:
    """Train a throwaway network on real training digits, shifted by up to a pixel."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.4)),
        nn.Linear(512, 10),
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        x, labels = train.batch(generator)
        dy, dx = torch.randint(0, 3, (2,), generator=generator).tolist()
        x = pad(x, (1, 1, 1, 1), value=-1.0)[:, :, dy : dy + 8, dx : dx + 8]
        optimizer.zero_grad()
        cross_entropy(net(x), labels).backward()
        optimizer.step()
        decay.step()
    return net.eval()


@torch.no_grad()
def report(contestants: dict[str, Digits], classifier: nn.Module) -> None:
    """Print the three figures of each; a figure that compares a set with itself is left out."""
    train, held_out = contestants["training digits"], contestants["held-out digits"]
    print(f"\n{'':38}{'(a) right label':>16}{'(b) MMD^2':>12}{'(c) nearest':>14}")
    for name, digits in contestants.items():
        accuracy = (classifier(digits.x).argmax(1) == digits.labels).double().mean()
        mmd2 = f"{kernel_mmd2(digits.pixels, held_out.pixels, scale=0.4):.2e}" if digits is not held_out else ""
        nearest = f"{nearest_distances(digits.pixels, train.pixels).median():.3f}" if digits is not train else ""
        print(f"{name:38}{accuracy:>16.2%}{mmd2:>12}{nearest:>14}")


def diffusers_samples(train: Digits, labels: Tensor, minutes: float) -> dict[str, Digits]:
    """Train diffusers' network of the same widths for some minutes, and sample it with its two best-known samplers."""
    from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler  # noqa: PLC0415

    noise = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    net, steps = train_diffusers(train, noise, minutes)
    print(f"diffusers: {steps} steps of {BATCH} in {minutes:g} minutes")
    config = {**noise.config, "timestep_spacing": "linspace"}
    return {
        f"diffusers, DPM++ 2M {STEPS}": sample_diffusers(net, DPMSolverMultistepScheduler.from_config(config), labels),
        f"diffusers, DDIM {STEPS}": sample_diffusers(net, DDIMScheduler.from_config(noise.config), labels),
    }


def train_diffusers(train: Digits, noise: object, minutes: float) -> tuple[nn.Module, int]:
    """Give the moving average of the network and how many steps it took."""
    from diffusers import UNet2DModel  # noqa: PLC0415

    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    net = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        num_class_embeds=11,  # the last one is unconditional
    )
    average = torch.optim.swa_utils.AveragedModel(net, avg_fn=_average)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    end, steps = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        x, labels = train.batch(generator)
        labels = torch.where(torch.rand(BATCH, generator=generator) < 0.1, 10, labels)
        t, eps = torch.randint(1000, (BATCH,), generator=generator), torch.randn(x.shape, generator=generator)
        optimizer.zero_grad()
        mse_loss(net(noise.add_noise(x, eps, t), t, labels).sample, eps).backward()
        optimizer.step()
        average.update_parameters(net)
        steps += 1
    return average.module.eval(), steps


def _average(average: Tensor, new: Tensor, steps: Tensor | int) -> Tensor:
    """Weigh as polydiff does: 0.999, and less in the beginning."""
    return torch.lerp(average, new, 1 - min(0.999, (1 + int(steps)) / (10 + int(steps))))


@torch.no_grad()
def sample_diffusers(net: nn.Module, scheduler: object, labels: Tensor) -> Digits:
    """Draw guided samples."""
    scheduler.set_timesteps(STEPS)
    x = torch.randn(len(labels), 1, 8, 8, generator=torch.Generator().manual_seed(0))
    predict: Callable[[Tensor, Tensor], Tensor] = lambda x, classes: net(x, t, classes).sample  # noqa: E731
    for t in scheduler.timesteps:
        c, u = predict(x, labels), predict(x, torch.full_like(labels, 10))
        x = scheduler.step(torch.lerp(u, c, GUIDANCE), t, x).prev_sample
    return Digits(x.clamp(-1, 1).add(1).mul(127.5).round().div(127.5).sub(1), labels)


if __name__ == "__main__":
    main()
