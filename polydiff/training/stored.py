"""Tensors in the files of a checkpoint, read by name and by rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from polydiff.errors import ModelError


class StoredTensors(Mapping[str, Tensor]):
    """The tensors of one file, or of several, each with the rows of one process; nothing is read before it is needed.

    Parameters
    ----------
    paths
        In the order of the processes. A tensor that is not divided stands in the first alone.
    check
        Called with a path before any data of that file are read; it may raise.

    Raises
    ------
    ModelError
        When one is no safetensors file.
    """

    def __init__(self, paths: Sequence[Path], check: Callable[[Path], object]) -> None:
        self._check = check
        self._checked: set[Path] = set()
        self._files: Mapping[Path, Any] = {path: self._opened(path) for path in paths}
        names = [(path, name) for path, file in self._files.items() for name in file.keys()]  # noqa: SIM118 (no mapping)
        self._places: dict[str, list[tuple[Path, tuple[int, ...]]]] = {}
        for path, name in names:
            shape = tuple(self._files[path].get_slice(name).get_shape())
            self._places.setdefault(name, []).append((path, shape))

    def __getitem__(self, name: str) -> Tensor:
        return self.read(name)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        """Give the shape of a whole tensor."""
        shapes = [shape for _, shape in self._places[name]]
        return shapes[0] if len(shapes) == 1 else (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def read(self, name: str, rows: slice | None = None) -> Tensor:
        """Read a tensor, or some of its rows, onto the CPU."""
        places = self._places[name]
        if rows is None and len(places) == 1:
            return self._tensor(places[0][0], name, None)
        first, last = (0, self.shape(name)[0]) if rows is None else (rows.start, rows.stop)
        parts, start = [], 0
        for path, shape in places:
            a, b = max(first, start) - start, min(last, start + shape[0]) - start
            if a < b:
                parts.append(self._tensor(path, name, slice(a, b)))
            start += shape[0]
        return torch.cat(parts) if parts else self._tensor(places[0][0], name, slice(0, 0))

    def _tensor(self, path: Path, name: str, rows: slice | None) -> Tensor:
        if path not in self._checked:
            self._check(path)
            self._checked.add(path)
        tensor: Tensor = self._files[path].get_tensor(name) if rows is None else self._files[path].get_slice(name)[rows]
        return tensor

    def _opened(self, path: Path) -> Any:
        try:
            return safe_open(path, framework="pt")
        except SafetensorError as error:
            self._check(path)
            raise ModelError(f"{path}: not a safetensors file; it is not opened") from error
