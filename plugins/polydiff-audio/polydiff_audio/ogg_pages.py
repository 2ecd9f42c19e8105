"""The pages of an Ogg file (RFC 3533)."""

from __future__ import annotations

import struct
import zlib

_SERIAL, _CHECKSUM, _SEGMENTS, _TABLE = 14, 22, 26, 27
"""Offsets within a page: of the stream's serial number, the checksum, the number of segments and their lengths."""

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Every byte with its bits in the opposite order."""


def with_serial(data: bytes, serial: int) -> bytes:
    """Give an Ogg file of one stream with another serial number, and the checksums that go with it."""
    pages, start = bytearray(data), 0
    while start < len(pages):
        segments = pages[start + _SEGMENTS]
        end = start + _TABLE + segments + sum(pages[start + _TABLE : start + _TABLE + segments])
        struct.pack_into("<I", pages, start + _SERIAL, serial)
        struct.pack_into("<I", pages, start + _CHECKSUM, 0)
        struct.pack_into("<I", pages, start + _CHECKSUM, _checksum(pages[start:end]))
        start = end
    return bytes(pages)


def _checksum(page: bytes | bytearray) -> int:
    """Give the CRC of polynomial 0x04c11db7 that starts at 0 and takes the highest bit first.

    zlib's has the same polynomial, but starts and ends with an inversion and takes the lowest bit first.
    """
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
