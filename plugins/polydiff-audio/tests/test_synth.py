"""Notes of synthetic instruments as a source."""

import numpy as np
import pytest
from polydiff_audio.instruments import TIMBRES
from polydiff_audio.pitch import note_name, pitch, to_hertz
from polydiff_audio.synth import Synth
from scipy.stats import kstest

from polydiff.data.source import Source
from polydiff.errors import UsageError


def test_a_note_says_what_it_is():
    source = Synth(count=4, seconds=0.5)
    assert isinstance(source, Source)
    assert (len(source), source.classes, source.unreadable) == (4, TIMBRES, ())
    for index, example in enumerate(map(source.__getitem__, range(4))):
        assert example.name == source.name(index) == f"note {index}"
        assert example.label == source.label(index) == TIMBRES[index]
        article = "an" if example.label == "organ" else "a"
        assert example.caption == f"{article} {example.label} at {to_hertz(example.get('pitch')):.1f} Hz"
        assert (example.content.rate, example.content.samples.shape) == (8000, (1, 4000))
        assert example.content.samples.dtype == np.float32


def test_a_note_is_a_function_of_seed_and_index():
    once, again = Synth(), Synth(count=50)
    for index in (31, 2, 17):
        first, second = once[index], again[index]
        assert np.array_equal(first.content.samples, second.content.samples)
        assert (first.caption, first.attributes) == (second.caption, second.attributes)
    assert Synth(seed=1)[2].get("pitch") != once[2].get("pitch") != once[6].get("pitch")


def test_a_note_has_the_pitch_that_it_says():
    source = Synth(count=100, seed=5)
    notes = map(source.__getitem__, range(len(source)))
    errors = np.array([pitch(note.content.samples, 8000) - note.get("pitch") for note in notes])
    assert np.mean(np.abs(errors) < 0.5) >= 0.99
    assert np.median(np.abs(errors)) < 0.01


def test_pitches_are_uniform_and_timbres_equally_many():
    source = Synth(count=1000, timbres=("drum", "bell"), low=60, high=72.5, seconds=0.1)
    notes = [source[i] for i in range(1000)]
    for timbre in source.classes:
        pitches = [note.get("pitch") for note in notes if note.label == timbre]
        assert len(pitches) == 500
        assert kstest(pitches, "uniform", (60, 12.5)).pvalue > 1e-3


def test_levels_vary_within_their_range_and_ends_are_silent():
    source = Synth(count=200)
    samples = np.array([source[i].content.samples[0] for i in range(200)])
    peaks = 20 * np.log10(np.abs(samples).max(1))
    assert -18.01 < peaks.min() < -17
    assert -2 < peaks.max() < -0.99
    assert np.abs(samples[:, -1]).max() == 0
    assert np.abs(np.diff(samples[:, -8:])).max() < 0.01


def test_notes_of_one_pitch_and_timbre_differ():
    for timbre in TIMBRES:
        source = Synth(count=20, timbres=(timbre,), low=69, high=69)
        spectra = np.array([np.abs(np.fft.rfft(source[i].content.samples[0])) for i in range(20)])
        spectra /= np.linalg.norm(spectra, axis=1, keepdims=True)
        likeness = (spectra @ spectra.T)[np.triu_indices(20, 1)]
        assert likeness.max() < 0.9999
        assert np.median(likeness) < 0.97


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"timbres": ()}, "timbres are none"),
        ({"timbres": ("bell", "bell")}, "timbres are bell, bell"),
        ({"low": 70, "high": 60}, "low=70 and high=60"),
        ({"high": 96}, r"rate=8000, low <= high <= 95\.2"),
        ({"low": float("nan")}, "low=nan"),
        ({"rate": 0}, "rate=0"),
        ({"seconds": 0.01}, r"seconds is 0\.01"),
        ({"seconds": float("inf")}, "seconds is inf"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Synth(**options)


def test_the_highest_note_allowed_can_be_played():
    source = Synth(count=8, low=95.2, high=95.2, rate=8000, seconds=0.1)
    assert all(np.isfinite(source[i].content.samples).all() for i in range(8))


def test_keys_of_a_piano_are_named():
    source = Synth(count=400, low=59.5, high=61.0, keys=True, seconds=0.1)
    notes = [source[i] for i in range(400)]
    named = {60.0: "C4", 61.0: "C#4"}
    assert {note.get("pitch") for note in notes} == set(named)
    assert all(note.caption.endswith(f"{note.label} playing {named[note.get('pitch')]}") for note in notes)
    assert 150 < sum(note.get("pitch") == 60 for note in notes) < 250
    assert [note_name(midi) for midi in (21, 59, 69, 108)] == ["A0", "B3", "A4", "C8"]
    with pytest.raises(UsageError, match=r"low=60\.2 and high=60\.8: with keys, there must be a whole number"):
        Synth(low=60.2, high=60.8, keys=True)
