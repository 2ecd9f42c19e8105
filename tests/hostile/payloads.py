"""Files as someone would make them who means harm."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle  # noqa: TID251 (to be refused)
import struct
import tarfile
import zipfile
import zlib

import numpy as np

MARK = "executed"
"""The folder that whatever is executed makes where the program runs."""


class Canary:
    """Unpickling this makes the folder `MARK`."""

    def __reduce__(self):
        return os.mkdir, (MARK,)


def pickled() -> bytes:
    return pickle.dumps(Canary())


def checkpoint() -> bytes:
    """What `torch.save` writes."""
    import torch

    file = io.BytesIO()
    torch.save(Canary(), file)
    return file.getvalue()


def array(content=None, *, shape=None, kind="<f4") -> bytes:
    """A NumPy file of an array of objects, or of none behind a header of some shape."""
    file = io.BytesIO()
    if shape is None:
        np.save(file, np.array([Canary()], object), allow_pickle=True)
    else:
        np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


def zipped(**members: bytes | str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def model_3mf(text: str, declared: str = "") -> bytes:
    """A 3MF with a document type declaration."""
    mesh = f"<model><resources><object id='1'><mesh>{text}</mesh></object></resources></model>"
    return zipped(**{"3D__3dmodel.model": f"<?xml version='1.0'?><!DOCTYPE x [{declared}]>{mesh}"})


def laughs() -> str:
    """XML entities that would grow to 10^9 of a letter."""
    rows = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10)]
    return '<!ENTITY e0 "x">' + "".join(rows)


def tensors(header: bytes | dict, length: int | None = None) -> bytes:
    """A safetensors file of a header that may lie about its length."""
    header = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(header) if length is None else length) + header


def png(width=8, height=8, *more: tuple[bytes, bytes], pixels: bytes | None = None) -> bytes:
    """A grey picture, with further chunks before its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = zlib.compress(bytes(9 * 8)) if pixels is None else pixels
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(chunk(*each) for each in more)
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


def text_bomb() -> tuple[bytes, bytes]:
    """A PNG chunk of compressed text, 100 MB."""
    return b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)


def tiff(width: int, height: int) -> bytes:
    """A header of an absurd size with no pixels behind it."""
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (279, 4, 1, 8),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def postscript() -> bytes:
    """What Ghostscript would execute."""
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(%pipe%mkdir executed) (w) file closefile showpage\n"


def wav(size: int, rate=16000, channels=1, block=2) -> bytes:
    """A header that promises so many bytes, and 100 of them."""
    about = struct.pack("<HHIIHH", 1, channels, rate, (rate * block) % 2**32, block, 16)
    riff = b"RIFF" + struct.pack("<I", min(size + 36, 2**32 - 1))
    return riff + b"WAVEfmt \x10\0\0\0" + about + b"data" + struct.pack("<I", size) + bytes(100)


def flac(frames: int) -> bytes:
    """A header that promises so many frames, and none."""
    packed = (16000 << 44) | (15 << 36) | frames
    return b"fLaC\x80\0\0\x22" + struct.pack(">HH", 4096, 4096) + bytes(6) + struct.pack(">Q", packed) + bytes(16)


def tar(
    name: str, content: bytes = b"", *, kind=tarfile.REGTYPE, link="", mode=0o644, size: int | None = None
) -> bytes:
    """An archive of one member, whose header may promise more than there is."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, link, mode
    entry.size = len(content) if size is None else size
    return entry.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512 + 1024)


def gltf(buffer: str = "", image: str | None = None, count: int = 3) -> bytes:
    """A triangle whose buffer and picture may lie anywhere."""
    inside = "data:application/octet-stream;base64," + base64.b64encode(bytes(36)).decode()
    return json.dumps(
        {
            "asset": {"version": "2.0"},
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
            "accessors": [{"bufferView": 0, "componentType": 5126, "count": count, "type": "VEC3"}],
            "bufferViews": [{"buffer": 0, "byteLength": 12 * count}],
            "buffers": [{"uri": buffer or inside, "byteLength": 12 * count}],
            **({"images": [{"uri": image}]} if image else {}),
        }
    ).encode()


def ply(count: int | str, listed: str = "") -> bytes:
    return (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n"
        f"property float x\nproperty float y\nproperty float z\n{listed}end_header\n"
    ).encode() + bytes(36)


def font(*changes: tuple[str, int, bytes]) -> bytes:
    """DejaVu Sans Mono with bytes of its tables changed: each a table, an offset in it and the bytes."""
    from polydiff_image.fonts import find_font

    content = bytearray(find_font("DejaVuSansMono").read_bytes())
    for number in range(struct.unpack_from(">H", content, 4)[0]):
        name, _, start, _ = struct.unpack_from(">4sIII", content, 12 + 16 * number)
        for table, offset, new in changes:
            if table.encode() == name:
                content[start + offset : start + offset + len(new)] = new
    return bytes(content)


def yaml_bomb() -> str:
    """Aliases that stand for 9^20 texts."""
    rows = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 20)]
    return "\n".join(["l0: &l0 [x, x, x, x, x, x, x, x, x]", *rows])
