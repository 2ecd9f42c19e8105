"""Setting data aside for validation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from polydiff.data.order import permutation
from polydiff.errors import DataError

_BEFORE_THE_FIRST_EPOCH = -1


def split(n: int, holdout: float, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide range(n) at random, the same way each time.

    Parameters
    ----------
    holdout
        Fraction in [0, 1) to hold out; any fraction above 0 holds out at least one item.

    Returns
    -------
    The indices to train on and those held out, each sorted.

    Raises
    ------
    DataError
        When nothing would be left to train on.
    """
    held = math.ceil(holdout * n - 1e-9)
    if held >= n:
        raise DataError(f"{n} items, {held} held out: none is left to train on; set data.holdout=0")
    shuffled = permutation(n, seed, _BEFORE_THE_FIRST_EPOCH)
    return np.sort(shuffled[held:]), np.sort(shuffled[:held])
