"""How good are the words of a model of speech? See `audio.py`.

The classifier has learnt from real speech alone: from other clips than the model, at more speeds and pitches, shifted
and noisier. It is judged by clips as the model's recipe draws them that neither has met, and everything is compared
with other such clips.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from audio_files import generated, round_trip, through_wav
from audio_listener import Listener, train_listener
from audio_throwaway import sample_throwaway, train_throwaway
from polydiff_audio.espeak import Espeak
from polydiff_audio.fitting import fit_to
from polydiff_audio.mel import Mel
from polydiff_audio.sound import Audible, Sound
from polydiff_audio.spectrogram import Spectrogram
from polydiff_audio.timed import Timed
from polydiff_audio.waveform import Waveform
from torch import Tensor

import polydiff
from polydiff.data.split import split
from polydiff.generation.request import Request
from polydiff.metrics.frechet import frechet_distance
from polydiff.recipe.load import load_recipe
from polydiff.recipe.schema import Recipe

LESSONS = 3000
"""Real clips that the classifier is trained on."""

LESSON_SEED, HELD_OUT_SEED, REFERENCE_SEED, NOISE_SEED = 1_000_001, 1_000_002, 1_000_003, 1_000_004
"""Of real clips to train the classifier, to judge it, and to compare everything with; of noise."""

BEYOND = 15
"""Words a minute, and settings of pitch, by which the lessons exceed the recipe's ranges at either end."""

MEL_BANDS = 64


@dataclass(frozen=True)
class Clips:
    """Sounds, the index of the word that each should be, (n,), and all words."""

    sounds: Sequence[Audible]
    labels: Tensor
    words: Sequence[str]


def speech(run: Path, samples: int = 1000, seed: int = 0, *, throwaway: bool = False) -> None:
    """Judge a run of the preset `speech-digits`: all words in turn, sampled as its recipe says.

    Parameters
    ----------
    run
        A run folder; its recipe tells the training data.
    samples
        How many clips of each contestant.
    seed
        Of the generated set.
    throwaway
        Train the plain network on what the run was trained on, and judge it, too.
    """
    recipe, codec = load_recipe(run / "recipe.yaml"), polydiff.load(run).codec
    assert isinstance(codec, Spectrogram)
    options = recipe.data.source.options
    held_out, reference = (
        spoken(options | {"count": samples, "seed": each}) for each in (HELD_OUT_SEED, REFERENCE_SEED)
    )
    contestants = {"real, held out": held_out, "noise": noise(held_out)}
    for name, each in {"spectrogram": codec, **other_codecs(recipe, held_out)}.items():
        contestants[f"real, through {name}"] = replace(held_out, sounds=round_trip(held_out.sounds, each))
    contestants["polydiff"] = made(run, samples, seed, held_out.words)
    if throwaway:
        contestants["throwaway"] = thrown_away(recipe, codec, held_out)
    lessons = spoken(options | wider(options) | {"count": LESSONS, "seed": LESSON_SEED})
    listener = train_listener(in_window(lessons, codec), lessons.labels, codec.rate, len(lessons.words))
    report(contestants, reference, listener, codec)


def spoken(options: Mapping[str, Any]) -> Clips:
    """Have espeak-ng speak all clips of a source; the labels run through the words again and again."""
    source = Espeak(**options)
    labels = [source.classes.index(source.label(i)) for i in range(len(source))]
    return Clips(through_wav(source[i].content for i in range(len(source))), torch.tensor(labels), source.classes)


def made(run: Path, samples: int, seed: int, words: Sequence[str]) -> Clips:
    """Generate as `polydiff generate --label all` does."""
    sounds, records = generated(run, Request(count=samples, seed=seed, conditions={"label": "all"}))
    return Clips(sounds, torch.tensor([words.index(record["conditions"]["label"]) for record in records]), words)


def wider(options: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Widen the ranges of speed and pitch."""
    ranges = {name: options[name] for name in ("speeds", "pitches")}
    return {name: (low - BEYOND, high + BEYOND) for name, (low, high) in ranges.items()}


def other_codecs(recipe: Recipe, clips: Clips) -> dict[str, Timed]:
    """Make the codecs that the model does not use, with its options as far as they have them."""
    options = recipe.codec.options
    shared = {name: options[name] for name in ("rate", "duration", "channels", "multiple")}
    codecs: dict[str, Timed] = {"mel": Mel(**options, n_mels=MEL_BANDS), "waveform": Waveform(**shared)}
    for codec in codecs.values():
        codec.fit(clips.sounds)
    return codecs


def noise(clips: Clips) -> Clips:
    """Make white noise as long and as loud as each clip."""
    rng = np.random.default_rng(NOISE_SEED)
    levels = [(each.samples, each.rate, each.samples.std()) for each in clips.sounds]
    sounds = [Sound(rng.normal(0, std, x.shape).astype(np.float32), rate) for x, rate, std in levels]
    return replace(clips, sounds=through_wav(sounds))


def thrown_away(recipe: Recipe, codec: Timed, clips: Clips) -> Clips:
    """Train the plain network on what the run was trained on; let it speak the same words as `clips`."""
    lessons = spoken(recipe.data.source.options)
    train, _ = split(len(lessons.sounds), recipe.data.holdout)
    x = torch.stack([codec.encode(lessons.sounds[i]) for i in train])
    net = train_throwaway(x, lessons.labels[torch.from_numpy(train)], len(lessons.words))
    return replace(clips, sounds=through_wav(codec.decode(sample_throwaway(net, clips.labels, codec.shape))))


def in_window(clips: Clips, codec: Timed) -> Tensor:
    """Fit clips into the model's window, (n, samples)."""
    frames = codec.shape[-1] * codec.hop
    return torch.stack([torch.from_numpy(fit_to(sound, codec.rate, 1, frames)[0]) for sound in clips.sounds])


@torch.no_grad()
def report(contestants: Mapping[str, Clips], reference: Clips, listener: Listener, codec: Timed) -> None:
    """Print the share of right words of each, its distance to real speech, and what is taken for what."""
    expected = listener.hear(in_window(reference, codec))
    heard = {name: listener.hear(in_window(clips, codec)) for name, clips in contestants.items()}
    distances = {name: frechet_distance(hidden, expected) for name, hidden in heard.items()}
    print(f"\n{'':26}{'right words':>12}{'Frechet distance':>18}{'of that of noise':>18}")
    mistakes = Counter[tuple[str, str, str]]()
    for name, clips in contestants.items():
        taken = listener.head(heard[name]).argmax(1)
        right = (taken == clips.labels).double().mean()
        print(f"{name:26}{right:>12.1%}{distances[name]:>18.2f}{distances[name] / distances['noise']:>18.2%}")
        wrong = (taken != clips.labels).nonzero().flatten().tolist() if name != "noise" else []
        mistakes.update((name, clips.words[clips.labels[i]], clips.words[taken[i]]) for i in wrong)
    for (name, asked, got), count in sorted(mistakes.items()):
        print(f"{name}: '{asked}' is taken for '{got}' {count} times")
