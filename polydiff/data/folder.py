"""What the `folder` source of every modality shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from polydiff.data.example import Example
from polydiff.data.file import File, identity
from polydiff.data.scan import Found, Scan, scan
from polydiff.errors import DataError


class Listing(Protocol):
    """Files that lie elsewhere than in a folder."""

    def scan(self, suffixes: Collection[str]) -> Scan:
        """List those that end in one of `suffixes`, and what is known of them; raise `DataError` when there is none."""


class FolderSource(ABC):
    """Files of a folder and its sub-folders as examples.

    A file's label is the name of the sub-folder that it lies in, unless a table (`metadata.jsonl`,
    `metadata.csv`) gives one; tables give captions and further attributes too, and files that are facts, by their
    paths. A modality says how a file is checked and read.

    Parameters
    ----------
    path
        The folder; `~` is the user's home. Or what holds such files: see `polydiff.data.shards.sharded` and
        `polydiff.data.tables.tabled`.
    suffixes
        The file endings to look for, with their dots, in lower case.

    Raises
    ------
    DataError
        When the folder is missing, holds no file that can be read, or a table in it is malformed.
    """

    def __init__(self, path: str | Path | Listing, suffixes: Collection[str]) -> None:
        result = scan(Path(path).expanduser(), suffixes) if isinstance(path, str | Path) else path.scan(suffixes)
        with ThreadPoolExecutor() as pool:
            faults = list(pool.map(self._fault, result.found))
        checked = list(zip(result.found, faults, strict=True))
        self._files = [file for file, fault in checked if fault is None]
        self._unreadable = result.unreadable + [f"{file.name}: {fault}" for file, fault in checked if fault]
        if not self._files:
            raise DataError(f"{path}: none of its {len(checked)} files can be read; {self._unreadable[-1]}")
        self._classes = _labels(self._files)
        lost = sorted(set(_labels(result.found)) - set(self._classes))
        self._unreadable += [f"label '{label}': none of its files can be read" for label in lost]

    @abstractmethod
    def check(self, path: File) -> None:
        """Look at a file's header, quickly, from any thread; raise `DataError` with the reason to refuse."""

    @abstractmethod
    def read(self, path: File) -> Any:
        """Give a file's content; raise `DataError` with the reason when that fails."""

    @property
    def classes(self) -> Sequence[str]:
        """The labels that occur, sorted."""
        return self._classes

    @property
    def unreadable(self) -> Sequence[str]:
        """One line for each file that was left out: its name and why."""
        return self._unreadable

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Example:
        """Read a file; raise `DataError`, with its name, when that fails."""
        file = self._files[index]
        try:
            content = self.read(file.path)
        except DataError as error:
            raise DataError(f"{file.name}: {error}") from error
        return Example(content, file.name, file.label, file.caption, file.attributes)

    def name(self, index: int) -> str:
        """Give a file's path in the folder."""
        return self._files[index].name

    def label(self, index: int) -> str | None:
        """Give a file's label."""
        return self._files[index].label

    def file(self, index: int) -> File | None:
        """Give the file that is all of an item."""
        return self._files[index].path

    def identity(self, index: int) -> dict[str, Any]:
        """Say all that an example depends on beside the source's options; raise `DataError` when its file is gone."""
        file = self._files[index]
        try:
            told = identity(file.path)
            facts = {k: identity(each) if isinstance(each, Path) else each for k, each in file.attributes.items()}
        except DataError as error:
            raise DataError(f"{file.name}: {error}") from error
        return {**told, "label": file.label, "caption": file.caption, "attributes": facts}

    def _fault(self, file: Found) -> str | None:
        try:
            self.check(file.path)
        except DataError as error:
            return str(error)
        return None


def _labels(files: Iterable[Found]) -> list[str]:
    return sorted({file.label for file in files if file.label is not None})
