"""The chunks of a WAV file."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER = struct.Struct("<4sI")
_CLOCK = b"PEAK"
"""The chunk in which libsndfile writes the time of day."""


def with_comment(data: bytes, comment: str) -> bytes:
    """Write a comment at the end of a WAV file, where every reader of samples finds its way, and leave out the time.

    libsndfile would write a comment at the front, of up to some 16 KiB and nothing of a longer one.

    Parameters
    ----------
    comment
        ASCII.
    """
    info = b"INFO" + _chunk(b"ICMT", comment.encode("ascii") + b"\0")
    kept = [_chunk(name, body) for name, body in _chunks(data) if name != _CLOCK]
    return _chunk(b"RIFF", b"WAVE" + b"".join(kept) + _chunk(b"LIST", info))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = _HEADER.size + len(b"WAVE")
    while start < len(data):
        name, size = _HEADER.unpack_from(data, start)
        start += _HEADER.size
        yield name, data[start : start + size]
        start += size + size % 2


def _chunk(name: bytes, body: bytes) -> bytes:
    """Write a chunk; the byte that makes its length even is not counted."""
    return _HEADER.pack(name, len(body)) + body + b"\0" * (len(body) % 2)
