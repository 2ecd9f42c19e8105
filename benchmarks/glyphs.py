"""Does a model write the character that is asked for? `polydiff train glyphs --out runs/glyphs`, then

    python benchmarks/glyphs.py runs/glyphs

Judged are samples of every pair of character and font, those that training never showed (`held-out`) apart from the
others, by a network trained here on real renderings, each shifted and blurred a little: the share that it takes for
the character whose Unicode name was asked for. Beside it: what it makes of real renderings, shifted and blurred
afresh, and the share of samples that it takes for the next character.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from polydiff_image.characters import name
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, pad

import polydiff
from polydiff.data.codec import Codec
from polydiff.data.source import Source
from polydiff.model import Model
from polydiff.plugins.specs import SourceSpec
from polydiff.recipe.build import build
from polydiff.recipe.load import load_recipe

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of the preset `glyphs`")
    parser.add_argument("--each", type=int, default=2, help="samples of each pair")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float, help="scale, in place of the recipe's")
    options = parser.parse_args()
    model, data = polydiff.load(options.run), load_recipe(options.run / "recipe.yaml").data
    assert data.validation is not None, "a recipe that keeps pairs apart"
    parts: dict[str, Source] = {
        part: build(SourceSpec, component, modality="image")
        for part, component in (("held-out", data.validation), ("train", data.source))
    }
    pictures, labels, characters = real(list(parts.values()), model.codec)
    judge = train_judge(pictures, labels, len(characters))
    generator = torch.Generator().manual_seed(1)
    right = share(judge, varied(pictures, generator), labels)
    print(f"{len(characters)} characters, {len(pictures)} real renderings: {right:.1%} right")
    for part, source in parts.items():
        x, asked = drawn(model, source, characters, options)
        wrong = share(judge, x, (asked + 1) % len(characters))
        print(f"{part:9} {len(x):6} samples: {share(judge, x, asked):.1%} right, {wrong:.1%} as the next character")


def real(parts: Sequence[Source], codec: Codec) -> tuple[Tensor, Tensor, list[str]]:
    """Give all renderings, (n, 1, H, W), the numbers of their characters, and these."""
    examples = [source[i] for source in parts for i in range(len(source))]
    characters = sorted({example.attributes["character"] for example in examples})
    labels = torch.tensor([characters.index(example.attributes["character"]) for example in examples])
    return torch.stack([codec.encode(example.content) for example in examples]), labels, characters


def drawn(
    model: Model, source: Source, characters: Sequence[str], options: argparse.Namespace
) -> tuple[Tensor, Tensor]:
    """Give samples of every pair of a source, and the numbers of the characters asked for."""
    pairs = [source[i].attributes for i in range(len(source)) for _ in range(options.each)]
    contents: list[Image.Image] = model.generate(
        len(pairs),
        seed=options.seed,
        guidance=options.guidance,
        caption=[name(pair["character"]) for pair in pairs],
        font=[pair["font"] for pair in pairs],
    )
    asked = torch.tensor([characters.index(pair["character"]) for pair in pairs])
    return torch.stack([model.codec.encode(content) for content in contents]), asked


def varied(x: Tensor, generator: torch.Generator) -> Tensor:
    """Shift pictures by up to a pixel and blur half of them."""
    dy, dx = torch.randint(0, 3, (2,), generator=generator).tolist()
    shifted = pad(x, (1, 1, 1, 1), value=1.0)[:, :, dy : dy + x.shape[2], dx : dx + x.shape[3]]
    soft = avg_pool2d(pad(shifted, (1, 1, 1, 1), value=1.0), 3, 1)
    half = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return torch.where(half, torch.lerp(shifted, soft, 0.5), shifted)


def train_judge(x: Tensor, labels: Tensor, classes: int, steps: int = 800) -> nn.Module:
    """Train a network to tell the characters of all fonts."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    layers: list[nn.Module] = []
    for width, to in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(width, to, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    judge = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * (x.shape[2] // 8) ** 2, classes))
    optimizer = torch.optim.AdamW(judge.parameters(), lr=1e-3, weight_decay=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (BATCH,), generator=generator)
        optimizer.zero_grad()
        cross_entropy(judge(varied(x[rows], generator)), labels[rows]).backward()
        optimizer.step()
        decay.step()
    return judge.eval()


@torch.no_grad()
def share(judge: nn.Module, x: Tensor, labels: Tensor) -> float:
    """Give the share of pictures that are taken for what they are said to be."""
    return float((judge(x).argmax(1) == labels).double().mean())


if __name__ == "__main__":
    main()
