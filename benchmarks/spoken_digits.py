"""Does a model draw the digit that it hears?

    python examples/spoken_digits.py spoken-digits
    polydiff train examples/spoken-digits.yaml --out runs/spoken-digits
    python benchmarks/spoken_digits.py runs/spoken-digits

Judged are pictures by the sounds of the recipe's `data.validation`: digits spoken in accents and by voices that
training never had. Given is the share that a classifier of real training digits takes for the digit that was said, over
all and by voice; beside it what that classifier makes of real digits that it never saw, and, as chance, the share where
each picture is held against the sound of another.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from digits import Digits, train_classifier
from torch import Tensor, nn

import polydiff
from polydiff.data.codec import Codec
from polydiff.data.source import Source
from polydiff.plugins.specs import SourceSpec
from polydiff.recipe.build import build
from polydiff.recipe.load import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of examples/spoken-digits.yaml")
    parser.add_argument("--each", type=int, default=2, help="pictures by each sound")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float, help="scale, in place of the recipe's")
    options = parser.parse_args()
    model, data = polydiff.load(options.run), load_recipe(options.run / "recipe.yaml").data
    assert data.validation is not None, "a recipe that keeps voices apart"
    train, held_out = (build(SourceSpec, each, modality="image") for each in (data.source, data.validation))
    real = pictures(held_out, model.codec)
    judge = train_classifier(pictures(train, model.codec))
    examples = [held_out[i] for i in range(len(held_out)) for _ in range(options.each)]
    contents = model.generate(
        len(examples),
        seed=options.seed,
        guidance=options.guidance,
        sound=[str(example.get("sound")) for example in examples],
    )
    x = torch.stack([model.codec.encode(content) for content in contents])
    said = torch.tensor([int(example.label or "") for example in examples])
    others = said[torch.from_numpy(np.random.default_rng(options.seed).permutation(len(said)))]
    print(f"{'real held-out digits':36}{len(real.x):6} {share(judge, real.x, real.labels):8.1%}")
    print(f"{'by unheard voices':36}{len(x):6} {share(judge, x, said):8.1%}")
    voices = np.array([example.get("voice") for example in examples])
    for voice in np.unique(voices):
        rows = torch.from_numpy(voices == voice)
        print(f"    {voice:32}{int(rows.sum()):6} {share(judge, x[rows], said[rows]):8.1%}")
    print(f"{'against the sounds of others':36}{len(x):6} {share(judge, x, others):8.1%}")


def pictures(source: Source, codec: Codec) -> Digits:
    """Encode all pictures of a source."""
    examples = [source[i] for i in range(len(source))]
    labels = torch.tensor([int(example.label or "") for example in examples])
    return Digits(torch.stack([codec.encode(example.content) for example in examples]), labels)


@torch.no_grad()
def share(judge: nn.Module, x: Tensor, labels: Tensor) -> float:
    """Give the share of pictures that are taken for what they should be."""
    return float((judge(x).argmax(1) == labels).double().mean())


if __name__ == "__main__":
    main()
