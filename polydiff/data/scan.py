"""Finding the files of a folder and what is known of them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from polydiff.data.file import File
from polydiff.data.metadata import TABLES, Facts, read_table
from polydiff.errors import DataError, printable
from polydiff.files import is_inside


@dataclass(frozen=True, slots=True)
class Found:
    """A file and what is known of it.

    Attributes
    ----------
    name
        Its path in the folder, with `/`.
    label
        What its line in a table says, or else the name of the sub-folder that it lies in.
    attributes
        Further facts; those that are files by their paths.
    """

    path: File
    name: str
    label: str | None = None
    caption: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Scan:
    """The files of a folder, sorted by name, and a line for each that was left out."""

    found: list[Found] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Tree:
    files: list[PurePosixPath] = field(default_factory=list)
    tables: list[PurePosixPath] = field(default_factory=list)
    barren: list[PurePosixPath] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def scan(folder: Path, suffixes: Collection[str]) -> Scan:
    """Look through a folder and its sub-folders for files that end in one of `suffixes`.

    Hidden files and folders are passed over. A link that leads out of the folder is left out, as is a link
    to a folder; what a table says of a missing file is reported too. A file that a table gives another one as a fact
    (`NAME_file_name`) is no item itself, unless a line of its own describes it.

    Parameters
    ----------
    suffixes
        With their dots, in lower case; a file's may be in upper case.

    Raises
    ------
    DataError
        When there is no such folder, no such file in it, or a table is malformed.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: {'is no folder' if folder.exists() else 'there is no such folder'}")
    kinds = ", ".join(sorted(suffixes))
    tree = _Tree()
    _walk(folder, PurePosixPath(), frozenset(suffixes), tree)
    if not tree.files:
        raise DataError(f"{folder}: there is no file to read in it; looked for {kinds}")
    found = {str(path): _bare(folder, path) for path in tree.files}
    lines = ((table.parent, line) for table in sorted(tree.tables) for line in read_table(folder / table))
    faults, attached = _describe(found, folder, lines)
    barren = [path for path in tree.barren if not any(path in each.parents for each in attached)]
    faults += tree.faults + [f"{display(path)}: holds no file that ends in {kinds}" for path in barren]
    if not found:
        raise DataError(f"{folder}: none of its {len(tree.files)} files can be read; {faults[0]}")
    return Scan(sorted(found.values(), key=lambda file: file.name), sorted(faults))


def display(path: PurePosixPath) -> str:
    """Write a path so that it can be printed, even where its bytes are no UTF-8 or move a terminal's cursor."""
    return printable(str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def _bare(folder: Path, path: PurePosixPath) -> Found:
    label = display(PurePosixPath(path.parent.name)) if path.parent.name else None
    return Found(folder / path, display(path), label)


def _walk(folder: Path, relative: PurePosixPath, suffixes: frozenset[str], tree: _Tree) -> bool:
    """Collect what lies below; tell whether a file to read is among it."""
    try:
        with os.scandir(folder / relative) as listing:
            entries = [entry for entry in listing if not entry.name.startswith(".")]
    except OSError as error:
        tree.faults.append(f"{display(relative)}: {error.strerror}")
        return True
    fertile = False
    for entry in entries:
        path = relative / entry.name
        if entry.is_dir(follow_symlinks=False):
            fertile |= _walk(folder, path, suffixes, tree)
        elif fault := _fault(folder, entry, suffixes):
            tree.faults.append(f"{display(path)}: {fault}")
        elif entry.name in TABLES:
            tree.tables.append(path)
        elif _ends_in(suffixes, entry.name):
            tree.files.append(path)
            fertile = True
    if not fertile and relative.name:
        tree.barren = [path for path in tree.barren if relative not in path.parents] + [relative]
    return fertile


def _fault(folder: Path, entry: os.DirEntry[str], suffixes: frozenset[str]) -> str | None:
    """Say why something that would be read cannot be: a link that leads astray, or no regular file."""
    if entry.is_symlink() and entry.is_dir():
        return "is a link to a folder, which is not followed"
    if not _ends_in(suffixes, entry.name) and entry.name not in TABLES:
        return None
    if entry.is_symlink() and not is_inside(folder, Path(entry.path)):
        return "is a link that leads out of the folder"
    if not entry.is_file():
        return "is a broken link" if entry.is_symlink() else "is no regular file"
    return None


def _ends_in(suffixes: frozenset[str], name: str) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122  # a Path for each of a million names is slow


def _describe(
    found: dict[str, Found], folder: Path, lines: Iterable[tuple[PurePosixPath, Facts]]
) -> tuple[list[str], set[PurePosixPath]]:
    """Add what the tables say to the files found, and take out those that cannot be used, or are facts of others.

    Parameters
    ----------
    lines
        Each with the folder, relative to `folder`, that its table lies in.

    Returns
    -------
    A line for each file that the tables name in vain, and the paths of those that are facts.
    """
    spelled = {unicodedata.normalize("NFC", name): name for name in found}
    described: dict[str, str] = {}
    attached: set[PurePosixPath] = set()
    lost: set[str] = set()
    faults = []
    for parent, line in lines:
        path = parent / line.file
        name = str(path) if str(path) in found else spelled.get(unicodedata.normalize("NFC", str(path)))
        if name is None:
            there = os.path.exists(folder / path)  # noqa: PTH110 (of any name, also one too long to be a file's)
            reason = "is no file of a kind that is read" if there else "there is no such file"
            faults.append(f"{display(path)}: {reason} ({line.where})")
            continue
        if name in described:
            raise DataError(f"{line.where}: '{display(line.file)}' is described again, after {described[name]}")
        described[name] = line.where
        files = {key: parent / each for key, each in line.files.items()}
        attached.update(files.values())
        if fault := next((fault for each in files.values() if (fault := _unusable(folder, each))), None):
            faults.append(f"{display(path)}: {fault} ({line.where})")
            lost.add(name)
        file = found[name]
        label = file.label if line.label is None else line.label
        attributes = {**line.attributes, **{key: folder / each for key, each in files.items()}}
        found[name] = replace(file, label=label, caption=line.caption, attributes=attributes)
    for name in lost | ({str(path) for path in attached} - described.keys()):
        found.pop(name, None)
    return faults, attached


def _unusable(folder: Path, path: PurePosixPath) -> str | None:
    """Say why a file that is a fact cannot be read."""
    if not os.path.isfile(folder / path):  # noqa: PTH113 (of any name, also one too long to be a file's)
        return f"its file '{display(path)}' is not there"
    return None if is_inside(folder, folder / path) else f"its file '{display(path)}' leads out of the folder"
