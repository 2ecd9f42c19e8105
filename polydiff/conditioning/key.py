"""Which raw values are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

UNKNOWN = 0
"""The key of what is not known."""


def key_of(value: Any) -> int:
    """Give the key of a raw value, below 2^48, so that float64 holds it; `UNKNOWN` of `None`."""
    if value is None:
        return UNKNOWN
    state = hashlib.blake2b(digest_size=6)
    for part in _bytes_of(value):
        state.update(part)
    return int.from_bytes(state.digest(), "big") or 1


def _bytes_of(value: Any) -> Iterable[bytes]:
    """Spell a raw value of numbers, texts, lists and arrays, no two of them alike."""
    if isinstance(value, list | tuple):
        yield b"[%d" % len(value)
        for each in value:
            yield from _bytes_of(each)
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    else:
        spelt = repr(value).encode()
        yield b"%d:" % len(spelt)
        yield spelt
