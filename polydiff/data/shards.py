"""Examples in tar archives, as WebDataset has them: files of one key ("0001.png", "0001.json") make one example."""

from __future__ import annotations

import glob
import inspect
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from polydiff.data.metadata import TABLES, TEXT_LIMIT, described
from polydiff.data.scan import Found, Scan, display
from polydiff.data.tar import Member, is_url, members
from polydiff.errors import DataError
from polydiff.files import parse_json

if TYPE_CHECKING:
    from polydiff.data.folder import FolderSource

MOST_SHARDS = 100_000
"""That the braces of one pattern may stand for."""

_FACTS = ("json", "txt", "cls")

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True, slots=True)
class Shards:
    """Where tar archives lie.

    Attributes
    ----------
    patterns
        Paths, or URLs of a file system that fsspec knows; with `{000..009}` and `{a,b}` for several, or `*`, `?` and
        `[...]` for those that are there.
    """

    patterns: tuple[str, ...]

    def in_full(self) -> list[str]:
        """Give the patterns so that they mean the same from any folder."""
        return [each if is_url(each) else str(Path(each).expanduser().absolute()) for each in self.patterns]

    def places(self) -> list[str]:
        """Name the archives in order, those of a wildcard sorted.

        Raises
        ------
        DataError
            When a pattern has none.
        """
        found = [place for pattern in self.in_full() for each in expand(pattern) for place in _present(each)]
        twice = [place for place, count in Counter(found).items() if count > 1]
        if twice:
            raise DataError(f"{twice[0]}: is named twice among the shards")
        return found

    def scan(self, suffixes: Collection[str]) -> Scan:
        """Look through the archives for files that end in one of `suffixes`, in the order in which they lie.

        An example's label is what `KEY.cls` says, or "label" in `KEY.json`, or else the name of the folder in the
        archive that it lies in; its caption is `KEY.txt`, or "caption" in `KEY.json`, whose other entries are further
        attributes.

        Raises
        ------
        DataError
            When an archive is none, or there is no such file in any.
        """
        result = Scan()
        for place in self.places():
            result.found += _items(place, frozenset(suffixes), result.unreadable)
        if not result.found:
            reason = f"; {result.unreadable[0]}" if result.unreadable else ""
            kinds = ", ".join(sorted(suffixes))
            raise DataError(f"{self}: there is no file to read in them; looked for {kinds}{reason}")
        return result

    def __str__(self) -> str:
        return ", ".join(self.patterns)


def sharded(folder: type[FolderSource]) -> Callable[..., FolderSource]:
    """Make the source `webdataset` of a modality from its source `folder`: `WebDataset = sharded(Folder)`.

    It takes the options of the folder, but `shards` in the place of `path`.
    """

    def webdataset(shards: Shards, **options: Any) -> FolderSource:
        return folder(shards, **options)

    signature = inspect.signature(folder)
    parameters = [
        each.replace(name="shards", annotation=Shards) if each.name == "path" else each
        for each in signature.parameters.values()
    ]
    # What a recipe may say is read from the signature; the module of `__wrapped__` is where its types are found.
    webdataset.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    webdataset.__wrapped__ = folder.__init__  # type: ignore[attr-defined]
    webdataset.__doc__ = f"Tar archives of what `{folder.__name__}` reads, with its options and `shards` for `path`."
    return webdataset


def expand(pattern: str) -> Iterator[str]:
    """Write out the braces of a pattern, as a shell does: "a-{08..10}.tar" is a-08.tar, a-09.tar and a-10.tar.

    Raises
    ------
    DataError
        For more than `MOST_SHARDS`.
    """
    found = _BRACES.search(pattern)
    if found is None:
        return iter((pattern,))
    span = _RANGE.fullmatch(found[1])
    if span is None:
        choices: Sequence[str] = found[1].split(",")
    else:
        first, last = int(span[1]), int(span[2])
        if last - first >= MOST_SHARDS:
            raise DataError(f"{pattern}: {{{found[1]}}} stands for {last - first + 1} shards, more than {MOST_SHARDS}")
        choices = [f"{number:0{len(span[1])}}" for number in range(first, last + 1)]
    return chain.from_iterable(expand(f"{pattern[: found.start()]}{each}{pattern[found.end() :]}") for each in choices)


def _present(pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        return [pattern]
    if is_url(pattern):
        import fsspec  # noqa: PLC0415 (slow to import, and for URLs alone)

        try:
            files, path = fsspec.core.url_to_fs(pattern)
            found = [files.unstrip_protocol(each) for each in files.glob(path)]
        except Exception as error:  # there is no such protocol, or whatever its client raises
            raise DataError(f"{pattern}: cannot be listed: {' '.join(str(error).split())}") from error
    else:
        found = glob.glob(pattern)  # noqa: PTH207 (of a pattern with an absolute path)
    if not found:
        raise DataError(f"{pattern}: there is no such shard")
    return sorted(found)


@dataclass(slots=True)
class _Group:
    """The files of one key."""

    files: dict[str, Member] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


def _items(place: str, suffixes: frozenset[str], faults: list[str]) -> Iterator[Found]:
    """Give the examples of one archive; add a line to `faults` for each that is left out."""
    label = PurePosixPath(place).name
    barren = []
    for key, group in _groups(place, suffixes, faults).items():
        content = _content(group.files, suffixes)
        if len(content) == 1:
            try:
                yield _found(content[0], f"{label}/{content[0].path}", group.texts)
            except DataError as error:
                faults.append(f"{label}/{key}: {error}")
        elif content:
            names = ", ".join(each.name for each in content)
            faults.append(f"{label}/{key}: has more than one file to read: {names}")
        else:
            barren.append(key)
    if barren:
        more = f", nor have {len(barren) - 1} more keys" if len(barren) > 1 else ""
        faults.append(f"{label}/{barren[0]}: has no file that ends in {', '.join(sorted(suffixes))}{more}")


def _groups(place: str, suffixes: frozenset[str], faults: list[str]) -> dict[str, _Group]:
    """Put the files of an archive together by their keys."""
    groups: dict[str, _Group] = {}
    for member, read in members(place, faults.append):
        name = f"{PurePosixPath(place).name}/{member.path}"
        key, _, ending = member.name.partition(".")
        if not key:
            continue  # hidden
        if member.name in TABLES:
            faults.append(f"{name}: is a table, which is not read in shards; KEY.json holds the facts of KEY")
            continue
        group, ending = groups.setdefault(str(member.path.with_name(key)), _Group()), ending.lower()
        if ending in group.files or ending in group.texts:
            faults.append(f"{name}: is there twice; the first counts")
        elif ending not in _FACTS or f".{ending}" in suffixes:
            group.files[ending] = member
        elif member.size > TEXT_LIMIT:
            faults.append(f"{name}: holds {member.size} bytes, more than {TEXT_LIMIT} of facts")
        else:
            group.texts[ending] = read()
    return groups


def _content(files: Mapping[str, Member], suffixes: frozenset[str]) -> list[Member]:
    """Choose what is read: "0001.png" goes before "0001.mask.png"."""
    whole = [member for ending, member in files.items() if f".{ending}" in suffixes]
    return whole or [member for member in files.values() if member.suffix.lower() in suffixes]


def _found(content: Member, name: str, texts: Mapping[str, bytes]) -> Found:
    facts: Any = {}
    if "json" in texts:
        try:
            facts = parse_json(texts["json"])
        except ValueError as error:
            raise DataError(f"its .json is not JSON: {error}") from error
        if not isinstance(facts, dict):
            raise DataError("its .json is no JSON object, {...}")
    facts = {key: value for key, value in facts.items() if value is not None}
    for ending, fact in (("cls", "label"), ("txt", "caption")):
        if ending in texts:
            facts[fact] = _text(texts[ending], ending)
    label, caption, attributes = described(facts)
    if label is None and content.path.parent.name:
        label = display(PurePosixPath(content.path.parent.name))
    return Found(content, name, label, caption, attributes)


def _text(content: bytes, ending: str) -> str:
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise DataError(f"its .{ending} is not UTF-8 text ({error.reason})") from error
