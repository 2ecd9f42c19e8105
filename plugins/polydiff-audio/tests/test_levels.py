"""Peaks, in decibels."""

import math

import numpy as np
import pytest
from polydiff_audio.levels import beyond_full_scale, peak_db, to_full_scale
from polydiff_audio.sound import Sound


def sound(*channels):
    return Sound(np.array(channels, np.float32), 8000)


@pytest.mark.parametrize(("peak", "decibels"), [(1.0, 0.0), (-0.5, -6.0206), (2.0, 6.0206), (1e-4, -80.0)])
def test_the_peak_is_that_of_the_loudest_channel(peak, decibels):
    assert peak_db(sound([0, 1e-5, 0], [0, peak, 0])) == pytest.approx(decibels, abs=1e-4)


def test_silence_has_no_level():
    assert peak_db(sound([0, 0])) == -math.inf


@pytest.mark.parametrize("peak", [8.5, 1.0, 0.3, 1e-3])
def test_loud_and_soft_sounds_are_brought_to_one_level(peak):
    given = sound([peak, 0, -peak / 2], [peak / 4, 0, 0])
    levelled = to_full_scale(given)
    assert peak_db(levelled) == pytest.approx(-1, abs=1e-5)
    np.testing.assert_allclose(levelled.samples / levelled.samples[0, 0], given.samples / peak, rtol=1e-6)
    assert (levelled.rate, levelled.samples.dtype) == (8000, np.float32)


@pytest.mark.parametrize("peak", [0.0, 2.0**-17, 2.0**-16])
def test_silence_stays(peak):
    given = sound([0, peak])
    assert np.array_equal(to_full_scale(given).samples, given.samples)


def test_levelling_does_not_change_what_it_is_given():
    given = sound([0.5, 0.1])
    to_full_scale(given)
    assert given.samples.tolist() == sound([0.5, 0.1]).samples.tolist()


@pytest.mark.parametrize("peak", [0.0, 0.5, 1.0, -1.0])
def test_nothing_is_said_of_what_fits(peak):
    assert beyond_full_scale(sound([0, peak])) is None


@pytest.mark.parametrize(
    ("peak", "said"),
    [
        (1.3, "peaks 2.3 dB above full scale, which clips 3 of 8 samples"),
        (-8.5, "peaks 18.6 dB above full scale, which clips 3 of 8 samples"),
        (1e5, "peaks 100.0 dB above full scale, which clips 3 of 8 samples"),
        (math.nan, "has 3 of 8 samples that are no finite numbers"),
        (-math.inf, "has 3 of 8 samples that are no finite numbers"),
    ],
)
def test_what_does_not_fit_is_said(peak, said):
    assert beyond_full_scale(sound([0, peak, 0.1, peak], [peak, 1, -1, 0])) == said


def test_what_is_no_number_does_not_count_as_a_level():
    given = sound([math.nan, 0.25, math.inf])
    assert peak_db(given) == pytest.approx(-12.0412, abs=1e-4)
    assert to_full_scale(given).samples[0, 1] == pytest.approx(10 ** (-1 / 20))
