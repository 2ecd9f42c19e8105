"""How good are the notes of a model of synthetic instruments? See `audio.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from audio_files import generated, round_trip, through_wav
from audio_listener import Listener, train_listener
from numpy.typing import NDArray
from polydiff_audio.pitch import pitch
from polydiff_audio.sound import Sound
from polydiff_audio.synth import Synth
from torch import Tensor

import polydiff
from polydiff.generation.request import Request
from polydiff.recipe.load import load_recipe

LESSONS = 4000
"""Real notes that the classifier of timbres is trained on."""

LESSON_SEED, HELD_OUT_SEED, ASKED_SEED, NOISE_SEED = 1_000_001, 1_000_002, 1_000_003, 1_000_004
"""Of real notes to train the classifier and to judge it, of the pitches asked for, and of noise."""


@dataclass(frozen=True)
class Notes:
    """Sounds, with the pitch (a MIDI number) and the timbre that each should have."""

    sounds: Sequence[Sound]
    pitches: NDArray[np.float64]
    timbres: NDArray[np.str_]


def notes(run: Path, samples: int = 500, seed: int = 0) -> None:
    """Judge a run of the preset `synth-notes` or `notes-text`: all timbres in turn, pitches as in training.

    Every sound is heard from a 16-bit WAV file: the model's as `polydiff generate` writes them, and beside them real
    notes that neither the model nor the classifier was trained on, those after a round trip through the codec, and
    noise.

    Parameters
    ----------
    run
        A run folder; its recipe tells the training data.
    samples
        How many notes of each contestant.
    seed
        Of the generated set.
    """
    options = load_recipe(run / "recipe.yaml").data.source.options
    listener = train_classifier(real(Synth(**options | {"count": LESSONS, "seed": LESSON_SEED})))
    held_out = real(Synth(**options | {"count": samples, "seed": HELD_OUT_SEED}))
    made = asked(run, Synth(**options | {"count": samples, "seed": ASKED_SEED}), seed)
    contestants = {
        "real, held out": held_out,
        "real, through the codec": replace(held_out, sounds=round_trip(held_out.sounds, polydiff.load(run).codec)),
        "polydiff": made,
        "polydiff, asked for another": shuffled(made),
        "noise": noise(held_out),
    }
    report(contestants, listener)


def real(source: Synth) -> Notes:
    """Play all notes of a source."""
    examples = [source[i] for i in range(len(source))]
    pitches = np.array([example.get("pitch") for example in examples])
    timbres = np.array([example.label for example in examples])
    return Notes(through_wav(example.content for example in examples), pitches, timbres)


def asked(run: Path, source: Synth, seed: int) -> Notes:
    """Generate as `polydiff generate` does, by the facts that the model takes: a caption, or label and pitch."""
    wanted = [source[i] for i in range(len(source))]
    facts = load_recipe(run / "recipe.yaml").conditions
    request = Request(
        count=len(wanted), seed=seed, conditions={fact: [example.get(fact) for example in wanted] for fact in facts}
    )
    sounds, _ = generated(run, request)
    pitches, timbres = ([example.get(fact) for example in wanted] for fact in ("pitch", "label"))
    return Notes(sounds, np.array(pitches), np.array(timbres))


def shuffled(notes: Notes) -> Notes:
    """Take notes for what others should be: what an answer to any other question would score."""
    order = np.random.default_rng(ASKED_SEED).permutation(len(notes.sounds))
    return replace(notes, pitches=notes.pitches[order], timbres=notes.timbres[order])


def noise(notes: Notes) -> Notes:
    """Make white noise, as long as the notes."""
    rng = np.random.default_rng(NOISE_SEED)
    sounds = [Sound(rng.uniform(-1, 1, each.samples.shape).astype(np.float32), each.rate) for each in notes.sounds]
    return replace(notes, sounds=through_wav(sounds))


def train_classifier(lessons: Notes) -> Listener:
    """Learn to tell timbres apart, by real notes made later, softer, louder and noisier at random.

    Without those changes it would learn to tell synthetic notes by details that nobody hears: a linear classifier of
    the statistics of their spectra, right on every real note, is right on half of them once they are made again from
    log magnitudes that are 0.2 off.
    """
    labels = torch.from_numpy(np.unique(lessons.timbres, return_inverse=True)[1])
    return train_listener(waveforms(lessons), labels, lessons.sounds[0].rate, len(set(lessons.timbres)))


def waveforms(notes: Notes) -> Tensor:
    """Put sounds, all of one length, side by side, (n, samples)."""
    return torch.from_numpy(np.stack([sound.samples[0] for sound in notes.sounds]))


@torch.no_grad()
def report(contestants: dict[str, Notes], listener: Listener) -> None:
    """Print how many notes have the pitch and the timbre that they should have, in all and by timbre."""
    timbres = np.unique(contestants["real, held out"].timbres)
    print(f"\n{'':34}{'within 1/2 semitone':>20}{'median error':>18}{'right timbre':>14}")
    for name, notes in contestants.items():
        errors = np.abs([pitch(each.samples, each.rate) for each in notes.sounds] - notes.pitches)
        right = timbres[listener(waveforms(notes)).argmax(1).numpy()] == notes.timbres
        _line(name, errors, right)
        for timbre in timbres if name != "noise" else ():
            rows = notes.timbres == timbre
            _line(f"    {timbre}", errors[rows], right[rows])


def _line(name: str, errors: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
    """Print one line; what has no pitch is not within anything, and does not count in the median."""
    known = errors[~np.isnan(errors)]
    median = f"{100 * np.median(known):.1f} cents" if len(known) else "none has a pitch"
    print(f"{name:34}{np.mean(errors <= 0.5):>20.1%}{median:>18}{right.mean():>14.1%}")
