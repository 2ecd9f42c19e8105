"""Vectors and their names as a file."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.torch import save
from torch import Tensor

from polydiff import files
from polydiff.errors import UsageError

ENDINGS = (".npz", ".safetensors")


def check_ending(path: Path) -> None:
    """Refuse a file whose ending tells no format; raises UsageError."""
    if path.suffix not in ENDINGS:
        raise UsageError(f"--out {path}: the ending says which file it is, {' or '.join(ENDINGS)}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--out {path}: there is no folder {path.absolute().parent}")


def write(path: Path, names: Sequence[str], vectors: Tensor) -> None:
    """Write vectors, (n, D) float32, and their names; whole, or not at all.

    An `.npz` holds the arrays `embeddings` and `names`, of text; nothing in it is a pickle. A `.safetensors` holds the
    tensor `embeddings`, and `names` in its metadata as a JSON list.

    Raises
    ------
    PolydiffError
        When the system refuses.
    """
    if path.suffix == ".safetensors":
        files.write(path, save({"embeddings": vectors.contiguous()}, {"names": json.dumps(list(names))}))
        return
    buffer = io.BytesIO()
    np.savez(buffer, embeddings=vectors.numpy(), names=np.array(names, dtype=np.str_))
    files.write(path, buffer.getvalue())
