"""The contents that are to be embedded: files, folders of files, and samples that were generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from polydiff import files
from polydiff.data.example import CONTENT, Example
from polydiff.data.source import Source
from polydiff.errors import DataError, UsageError
from polydiff.generation.output import RECORDS
from polydiff.model.reading import with_content
from polydiff.plugins.specs import SourceSpec
from polydiff.recipe.build import build
from polydiff.recipe.component import Component


def contents(inputs: Sequence[str], modality: str) -> Iterator[Example]:
    """Read files and folders, in the order in which they are named; a folder's in its own.

    Of a folder that `polydiff generate` wrote, only samples are contents, and each has as its facts the conditions that
    it was made by. A name is the path from where the command runs.

    Raises
    ------
    DataError
        When one cannot be read, or a folder has none.
    """
    for each in inputs:
        path = Path(each).expanduser()
        if not path.is_dir():
            yield with_content(path, partial(Example, name=each), modality=modality)
        elif is_generated(each):
            yield from _samples(path, modality)
        else:
            yield from _folder(path, modality)


def is_generated(folder: str) -> bool:
    """Tell whether `polydiff generate` wrote a folder, so that what is said of its contents is as a user writes it."""
    return (Path(folder).expanduser() / RECORDS).is_file()


def _folder(path: Path, modality: str) -> Iterator[Example]:
    source: Source = build(SourceSpec, Component("folder", {"path": str(path)}), modality=modality)
    if source.unreadable:
        raise DataError(f"{path}: {source.unreadable[0]}")
    for index in range(len(source)):
        example = source[index]
        yield Example(
            example.content, str(path / example.name), example.label, example.caption, dict(example.attributes)
        )


def _samples(path: Path, modality: str) -> Iterator[Example]:
    source: Source = build(SourceSpec, Component("folder", {"path": str(path)}), modality=modality)
    by_name = {source.name(index): index for index in range(len(source))}
    for record in _records(path / RECORDS):
        name, told = record["file"], record["conditions"]
        if name not in by_name:
            raise DataError(f"{path / name}, which {RECORDS} tells of, cannot be read")
        facts = {key: value for key, value in told.items() if key not in {"label", "caption", CONTENT}}
        content = source[by_name[name]].content
        yield Example(content, str(path / name), told.get("label"), told.get("caption"), facts)


def _records(file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            record = files.parse_json(line)
            sound = isinstance(record["file"], str) and isinstance(record["conditions"], dict)
        except (ValueError, TypeError, KeyError):
            sound = False
        if not sound:
            raise UsageError(f"{file}:{number} is not a line that a generation wrote")
        yield record
