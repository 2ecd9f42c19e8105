"""The order of the data: position p of a run is an (epoch, place) pair computed from (seed, p) alone.

Nothing is carried from one position to the next, so a resumed run, another number of devices or of loading
processes visits the very same items.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_MASK = 2**64 - 1

Order = Callable[[int, int, int], NDArray[np.int64]]
"""What stands at each place of an epoch, numbers below `length`: made of (length, seed, epoch), as by `permutation`."""


@lru_cache(maxsize=2)
def permutation(length: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Shuffle range(length) by (seed, epoch).

    The order sorts raw 64-bit Philox words: fixed algorithms both, so it is the same on every machine and
    with every version of NumPy (`Generator.permutation` promises no such thing).

    Returns
    -------
    (length,) int64, read-only, kept for the next call.
    """
    key = np.array([seed & _MASK, epoch & _MASK], dtype=np.uint64)
    order = np.argsort(np.random.Philox(key=key).random_raw(length), kind="stable").astype(np.int64)
    order.flags.writeable = False
    return order


def deal(length: int, seed: int, group: int, first: int, count: int) -> NDArray[np.int64]:
    """Deal range(length) like a pack of cards, over and over, each time shuffled by (seed, group, which time).

    Parameters
    ----------
    first, count
        Which of the cards, counted from the first of the first pack.

    Returns
    -------
    (count,) int64.
    """
    blocks = -(-length // 4)  # of Philox, which gives four words for each number that it counts
    pack, skipped = divmod(first, length)
    packs = -(-(skipped + count) // length)
    key = np.array([seed & _MASK, group], dtype=np.uint64)
    apart = np.array([pack * blocks, 0, 0, 1], dtype=np.uint64)  # from the words of `permutation`
    words = np.random.Philox(key=key, counter=apart).random_raw(4 * packs * blocks)
    cards = np.argsort(words.reshape(packs, 4 * blocks)[:, :length], axis=1, kind="stable")
    return cards.ravel()[skipped : skipped + count].astype(np.int64)


def locate(position: int, length: int) -> tuple[int, int]:
    """Split a position, 0-based over the whole run, into its epoch and its place within that epoch."""
    assert position >= 0
    assert length > 0
    return divmod(position, length)
