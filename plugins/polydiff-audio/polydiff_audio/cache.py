"""Samples kept on disk."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polydiff.files import cannot_write, write
from polydiff_audio.sound import Samples

_FORMAT = 1
"""Counts up when what is made under a key changes."""


class Cache:
    """A folder of samples, each in a file that is named after what it was made of.

    Files are whole or not there, so several processes can share it, and it can be emptied at any time. What was
    made of older files or with other options stays until then.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def samples(self, key: Mapping[str, Any], make: Callable[[], Samples]) -> Samples:
        """Give what is kept under a key, or else make and keep it.

        Parameters
        ----------
        key
            All that the samples depend on, as JSON has it.
        make
            What it raises goes through, and nothing is kept.

        Returns
        -------
        (channels, frames); what was kept is read from the disk where it is used. Changes to it are not kept.

        Raises
        ------
        PolydiffError
            When the disk is full or the folder cannot be written to.
        """
        path = self._path(key)
        try:
            return _load(path)
        except (OSError, ValueError):  # not there, or damaged
            made = make()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        file = io.BytesIO()
        np.lib.format.write_array(file, made, allow_pickle=False)
        write(path, file.getvalue())
        return made

    def _path(self, key: Mapping[str, Any]) -> Path:
        text = json.dumps({**key, "format": _FORMAT}, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.npy"


def _load(path: Path) -> Samples:
    """Map a file; raise `ValueError` unless it is whole."""
    array: Any = np.lib.format.open_memmap(path, mode="c")
    if array.dtype != np.float32 or array.ndim != 2 or array.size == 0:
        raise ValueError(f"{path} holds no samples")
    return np.asarray(array)
