"""scikit-learn's digits as a source."""

import numpy as np
from polydiff_image.digits import Digits
from sklearn.datasets import load_digits

from polydiff.data.source import Source


def test_they_are_scikit_learns_digits():
    source, digits = Digits(), load_digits()
    assert isinstance(source, Source)
    assert (len(source), source.classes) == (1797, tuple("0123456789"))
    for index in range(0, 1797, 100):
        example = source[index]
        assert (example.content.size, example.content.mode) == ((8, 8), "L")
        assert np.abs(np.asarray(example.content) - digits.images[index] * 255 / 16).max() <= 0.5
        assert example.label == source.label(index) == str(digits.target[index])
        assert example.name == source.name(index) == f"digit {index}"


def test_the_seventeen_levels_stay_apart():
    source = Digits()
    levels = {level for index in range(100) for level in np.unique(np.asarray(source[index].content)).tolist()}
    assert len(levels) == 17
