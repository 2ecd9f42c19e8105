"""How well does a model draw what a sentence says? `polydiff train scenes --out runs/scenes`, then

    python benchmarks/scenes.py runs/scenes

Judged are samples of sentences with things that training never showed (`held-out`), and of others that it might have
shown (`train`), by a reader of pictures that is exact on real scenes: a sample is right when it shows the things that
the sentence names, every one of its colour and shape, and nothing else, and when each lies as said to the next.

Beside it: the share of things that are right, whatever their places; of relations among those of samples whose things
all are; and what the samples score for a sentence that was meant for another one with as many things.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from polydiff_image.scenes.scene import COLOURS, PAPER, SHAPES, Kind, Sentence, Thing, describe, holds
from polydiff_image.scenes.shapes import coverage
from polydiff_image.scenes.source import HELD_OUT, Scenes
from scipy import ndimage

import polydiff

Array = NDArray[np.float64]

STRAY = 4.0
"""Covered pixels below which a speck is noise and no thing; the smallest thing covers 30."""

PURE = 0.8
"""The share of a thing's inner pixels that must be nearer to its colour than to any other."""

MISFIT = 0.12
"""The largest mean squared difference, over its area, between a thing and the best shape of its size and place."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of the preset `scenes`")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float, help="scale, in place of the recipe's")
    parser.add_argument("--steps", type=int, help="in place of the recipe's")
    options = parser.parse_args()
    model = polydiff.load(options.run)
    size = model.codec.shape[-1]
    print(f"{'sentences':12}{'all right':>12}{'things':>12}{'relations':>12}{'for another':>14}{'unreadable':>12}")
    for part in ("held-out", "train"):
        source = Scenes(size, options.samples, HELD_OUT, part, seed=1)
        sentences = [describe(source.scene(i)) for i in range(options.samples)]
        real = [source[i].content for i in range(options.samples)]
        drawn = model.generate(
            options.samples,
            caption=[str(sentence) for sentence in sentences],
            seed=options.seed,
            guidance=options.guidance,
            steps=options.steps,
        )
        print(report(f"{part}, real", sentences, real))
        print(report(part, sentences, drawn))


def report(name: str, sentences: Sequence[Sentence], pictures: Sequence[Image.Image]) -> str:
    """Write the figures of pictures that were drawn for sentences."""
    read = [read_scene(picture) for picture in pictures]
    pairs = list(zip(sentences, read, strict=True))
    right = [holds(sentence, scene.things) and scene.legible for sentence, scene in pairs]
    things = [matched(sentence.kinds, scene.things) / len(sentence.kinds) for sentence, scene in pairs]
    complete = [i for i, share in enumerate(things) if share == 1 and len(sentences[i].kinds) > 1]
    related = [right[i] for i in complete]
    by_count = {n: [i for i, s in enumerate(sentences) if len(s.kinds) == n] for n in (1, 2, 3)}
    another = [
        holds(sentences[one], read[other].things)
        for same in by_count.values()
        for one, other in zip(same, same[1:] + same[:1], strict=True)
        if sentences[one] != sentences[other]
    ]
    illegible = [not scene.legible for scene in read]
    counts = "  ".join(f"{n}: {np.mean([right[i] for i in same]):.1%}" for n, same in by_count.items() if same)
    figures = (f"{np.mean(each):.1%}" if each else "-" for each in (right, things, related, another, illegible))
    widths = (12, 12, 12, 14, 12)
    return (
        f"{name:12}"
        + "".join(f"{figure:>{width}}" for figure, width in zip(figures, widths, strict=True))
        + (f"   by things: {counts}")
    )


def matched(kinds: Sequence[Kind], things: Sequence[Thing]) -> int:
    """Count the kinds that are there."""
    left = [thing.kind for thing in things]
    count = 0
    for kind in kinds:
        if kind in left:
            left.remove(kind)
            count += 1
    return count


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes
    ----------
    legible
        Whether every patch of colour is a thing: of one colour, and of the form of one of the shapes.
    """

    things: list[Thing]
    legible: bool


def read_scene(picture: Image.Image) -> Scene:
    """Read a picture: its things, their kinds, places and sizes."""
    levels = np.asarray(picture.convert("RGB"), np.float64) - PAPER
    colours = np.array(list(COLOURS.values()), np.float64) - PAPER
    share = _shares(levels, colours).max(2)
    patches, count = ndimage.label(share > 0.5, np.ones((3, 3)))
    things: list[Thing] = []
    legible = True
    for number in range(1, count + 1):
        # a pixel of the edge belongs to the patch beside it
        around = ndimage.binary_dilation(patches == number, np.ones((3, 3)))
        thing = _read_thing(levels, around, share, colours)
        if thing is not None:
            things.append(thing)
        elif share[patches == number].sum() >= STRAY:
            legible = False
    return Scene(things, legible)


def _shares(levels: Array, colours: Array) -> Array:
    """Give, for each pixel and colour, the share of the pixel that the colour covers best: (H, W, colours)."""
    share: Array = (levels @ colours.T / (colours**2).sum(1)).clip(0, 1)
    return share


def _read_thing(levels: Array, around: NDArray[np.bool_], share: Array, colours: Array) -> Thing | None:
    inner = around & (share > 0.9)
    if not inner.any():
        return None
    nearest = ((levels[inner][:, None] - colours) ** 2).sum(2).argmin(1)
    votes = np.bincount(nearest, minlength=len(colours))
    colour = int(votes.argmax())
    if votes[colour] < PURE * len(nearest):
        return None
    covered = np.where(around, _shares(levels, colours[colour : colour + 1])[..., 0], 0.0)
    area = covered.sum()
    rows, columns = np.indices(covered.shape) + 0.5
    x, y, radius = (covered * columns).sum() / area, (covered * rows).sum() / area, np.sqrt(area / np.pi)
    misfits = [_misfit(covered, shape, x, y, radius) for shape in SHAPES]
    best = int(np.argmin(misfits))
    if misfits[best] > MISFIT * area:
        return None
    return Thing(Kind(list(COLOURS)[colour], SHAPES[best]), float(x), float(y), float(radius))


def _misfit(covered: Array, shape: str, x: float, y: float, radius: float) -> float:
    expected = np.zeros_like(covered)
    share, part = coverage(shape, x, y, radius, len(covered))
    expected[part] = share
    return float(((covered - expected) ** 2).sum())


if __name__ == "__main__":
    main()
