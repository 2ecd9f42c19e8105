"""Binary glTF 2.0 (GLB, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html) of points or of triangles."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import polydiff

POINTS, TRIANGLES = 0, 4
"""Values of a primitive's `mode`."""

_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_COMPONENTS: Final = {"uint32": 5125, "float32": 5126}
_SHAPES: Final = {1: "SCALAR", 3: "VEC3"}
_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_GREY: Final = [0.75, 0.75, 0.78, 1.0]


def encode(
    points: NDArray[np.float32],
    metadata: Mapping[str, str],
    *,
    normals: NDArray[np.float32] | None = None,
    colors: NDArray[np.float32] | None = None,
    faces: NDArray[np.int32] | None = None,
) -> bytes:
    """Give a GLB of one mesh; the metadata go into `asset.extras`.

    Parameters
    ----------
    points, normals, colors
        (N, 3) each; colours in [0, 1], sRGB.
    faces
        (F, 3) places of points; without them the primitive is of the mode POINTS.
    """
    buffer = _Buffer()
    attributes = {"POSITION": buffer.add(points.astype("<f4"), _ARRAY_BUFFER, bounds=True)}
    if normals is not None:
        attributes["NORMAL"] = buffer.add(_unit(normals), _ARRAY_BUFFER)
    if colors is not None:
        attributes["COLOR_0"] = buffer.add(_linear(colors), _ARRAY_BUFFER)
    primitive: dict[str, Any] = {"attributes": attributes, "mode": POINTS, "material": 0}
    if faces is not None:
        primitive |= {"mode": TRIANGLES, "indices": buffer.add(faces.astype("<u4").ravel(), _ELEMENT_ARRAY_BUFFER)}
    surface = {"baseColorFactor": _GREY if colors is None else [1.0] * 4, "metallicFactor": 0.0, "roughnessFactor": 0.8}
    document = {
        "asset": {"version": "2.0", "generator": f"polydiff {polydiff.__version__}", "extras": dict(metadata)},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": surface, "doubleSided": True}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    return _container(json.dumps(document).encode(), bytes(buffer.data))


class _Buffer:
    """The one buffer of a document, and what lies where in it: every view begins at a multiple of four bytes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: NDArray[Any], target: int, *, bounds: bool = False) -> int:
        """Append an array; give the number of its accessor."""
        content = array.tobytes()
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content), "target": target})
        self.data += _padded(content, b"\0")
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": _COMPONENTS[array.dtype.name],
            "count": len(array),
            "type": _SHAPES[1 if array.ndim == 1 else array.shape[1]],
        }
        if bounds:
            accessor |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _unit(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring normals to unit length as exactly as float32 can, as the specification demands."""
    exact = normals.astype(np.float64)
    unit: NDArray[np.float32] = (exact / np.linalg.norm(exact, axis=1, keepdims=True)).astype("<f4")
    return unit


def _linear(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give sRGB colours as glTF has those of vertices: in linear light (IEC 61966-2-1)."""
    encoded = colors.astype(np.float64).clip(0, 1)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    light: NDArray[np.float32] = linear.astype("<f4")
    return light


def _padded(content: bytes, filler: bytes) -> bytes:
    return content + filler * (-len(content) % 4)


def _container(document: bytes, buffer: bytes) -> bytes:
    chunks = b"".join(
        struct.pack("<II", len(chunk), kind) + chunk
        for kind, chunk in ((_JSON, _padded(document, b" ")), (_BIN, _padded(buffer, b"\0")))
    )
    return struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks
