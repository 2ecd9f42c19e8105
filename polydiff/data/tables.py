"""Examples in tables: each row holds a file and what is known of it."""

from __future__ import annotations

import glob
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, get_type_hints

from polydiff.data.cell import Cell, Column
from polydiff.data.columns import facts as read_facts
from polydiff.data.columns import file_columns, kind, sizes_and_names
from polydiff.data.hugging_face import read_hub, read_parquet, read_saved
from polydiff.data.metadata import described
from polydiff.data.scan import Found, Scan
from polydiff.errors import DataError, UsageError, nearest, unknown

if TYPE_CHECKING:
    from datasets import Dataset

    from polydiff.data.folder import FolderSource


KINDS: Mapping[str, Collection[str]] = {"label": ("class", "text", "whole number"), "caption": ("text", "class")}
"""Of columns, that can give a fact."""

_ANY = ("class", "text", "whole number", "number", "truth value")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, one example each.

    Attributes
    ----------
    place
        Where they come from, for messages.
    column
        Whose cells hold the files; `None` is the only one that does.
    label, caption
        The columns of these facts; `None` is those of their own names, if there are any.
    suffix
        What files are taken for whose names are not known, or end in nothing that is read.
    """

    place: str
    rows: Dataset
    column: str | None = None
    label: str | None = None
    caption: str | None = None
    suffix: str | None = None

    def scan(self, suffixes: Collection[str]) -> Scan:
        """List the rows in their order.

        An example's label and caption come from the columns that are said; every other column of texts, numbers or
        truth values gives an attribute. Classes stand for their names. Other columns are not read.

        Raises
        ------
        DataError
            When there is no such column, or it holds something else.
        UsageError
            When `suffix` is none of `suffixes`.
        """
        if self.suffix is not None and self.suffix not in suffixes:
            raise UsageError(unknown("ending", self.suffix, suffixes))
        name = self._files()
        result = Scan()
        column, facts = Column(self.rows, name), self._facts(name, result.unreadable)
        for row, (size, path) in enumerate(zip(*sizes_and_names(self.rows, name), strict=True)):
            given = PurePosixPath(PurePosixPath(path or "").name)
            title = f"row {row} ({given})" if given.name else f"row {row}"
            if size is None:
                where = f"names {path}, but does not hold it" if path else "is empty"
                result.unreadable.append(f"{title}: {where}")
                continue
            if self.suffix is not None and given.suffix.lower() not in suffixes:
                given = given.with_suffix(self.suffix) if given.name else PurePosixPath(f"row{self.suffix}")
            known = {key: values[row] for key, values in facts.items() if values[row] is not None}
            label, caption, attributes = described(known)
            result.found.append(Found(Cell(column, row, given, size), title, label, caption, attributes))
        if not result.found:
            reason = f"; {result.unreadable[0]}" if result.unreadable else ""
            raise DataError(f"{self}: there is no file to read in it{reason}")
        return result

    def __str__(self) -> str:
        return self.place

    def _files(self) -> str:
        """Find the column whose cells hold files."""
        found = file_columns(self.rows)
        if self.column is not None:
            self._check_there(self.column, "column")
            if self.column not in found:
                raise DataError(f"{self}: the column '{self.column}' holds {kind(self.rows, self.column)}, no files")
            return self.column
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(f"{self}: {' and '.join(found)} hold files; say one: data.source.column={found[0]}")
        raise DataError(f"{self}: no column holds files (bytes); it has {', '.join(self.rows.column_names)}")

    def _check_there(self, column: str, option: str) -> None:
        if column not in self.rows.column_names:
            near = nearest(column, self.rows.column_names)
            raise DataError(f"{self}: there is no column '{column}' (data.source.{option}); {near}")

    def _facts(self, files: str, faults: list[str]) -> dict[str, Sequence[Any]]:
        """Read the columns of facts, by the names under which examples have them."""
        told = {"label": self.label, "caption": self.caption}
        taken = {files, *told.values()}
        facts: dict[str, Sequence[Any]] = {}
        for column in self.rows.column_names:
            if column not in taken and told.get(column) is None and self._fits(column, column, faults):
                facts[column] = read_facts(self.rows, column)
        for fact, column in told.items():
            if column is not None:
                self._check_there(column, fact)
                if not self._fits(column, fact, faults):
                    raise DataError(f"{self}: {faults[-1]}; say another: data.source.{fact}")
                facts[fact] = read_facts(self.rows, column)
        return facts

    def _fits(self, column: str, fact: str, faults: list[str]) -> bool:
        """Tell whether a column can give a fact; add a line to `faults` where it should and cannot."""
        found, takes = kind(self.rows, column), KINDS.get(fact)
        if takes is not None and found not in takes:
            faults.append(f"the column '{column}' holds {found}, no {' or '.join(takes)}, and is no {fact}")
        return found in (takes or _ANY)


def parquet(
    files: Path | tuple[Path, ...],
    column: str | None = None,
    label: str | None = None,
    caption: str | None = None,
    suffix: str | None = None,
) -> Table:
    """Take the rows of Parquet files: one or several, those of a folder and its sub-folders, or of a wildcard, sorted.

    Raises
    ------
    DataError
        When there is none, or one cannot be read.
    """
    patterns = (files,) if isinstance(files, Path) else files
    found = [file for each in patterns for file in _parquet_files(each.expanduser())]
    if not found:
        raise UsageError("files names no file")
    return Table(", ".join(map(str, patterns)), read_parquet(found), column, label, caption, suffix)


def hugging_face(
    repo: str | None = None,
    path: Path | None = None,
    config: str | None = None,
    split: str | None = None,
    revision: str | None = None,
    column: str | None = None,
    label: str | None = None,
    caption: str | None = None,
    suffix: str | None = None,
) -> Table:
    """Take the rows of a data set of the Hugging Face hub, `repo`, or of one that `save_to_disk` wrote to `path`.

    Raises
    ------
    UsageError
        When not one of the two is given, or options of the one with the other.
    DataError
        When it cannot be read.
    """
    if (repo is None) == (path is None):
        raise UsageError("say either repo, a data set of the Hugging Face hub, or path, a folder of `save_to_disk`")
    if path is not None and (config is not None or revision is not None):
        raise UsageError("config and revision are of a data set of the hub; a folder has splits alone")
    rows = read_saved(path.expanduser(), split) if path is not None else read_hub(repo or "", config, split, revision)
    return Table(str(path or repo), rows, column, label, caption, suffix)


def tabled(folder: type[FolderSource], place: Callable[..., Table]) -> Callable[..., FolderSource]:
    """Make the source `parquet` or `hf` of a modality from its source `folder`: `Parquet = tabled(Folder, parquet)`.

    It takes the options of the folder and, for its `path`, those of `place`.
    """
    of_place = inspect.signature(place).parameters

    def table(**options: Any) -> FolderSource:
        rows = place(**{name: options.pop(name) for name in of_place if name in options})
        return folder(rows, **options)

    hints = get_type_hints(place, localns={"Table": Table})
    parameters = [each.replace(annotation=hints[each.name], kind=each.KEYWORD_ONLY) for each in of_place.values()]
    signature = inspect.signature(folder)
    own = [each.replace(kind=each.KEYWORD_ONLY) for each in signature.parameters.values() if each.name != "path"]
    # What a recipe may say is read from the signature; the module of `__wrapped__` is where its types are found.
    table.__signature__ = signature.replace(parameters=[*parameters, *own])  # type: ignore[attr-defined]
    table.__wrapped__ = folder.__init__  # type: ignore[attr-defined]
    table.__doc__ = (
        f"Tables whose cells hold what `{folder.__name__}` reads, with its options and those of `{place.__name__}`."
    )
    return table


def _parquet_files(pattern: Path) -> list[Path]:
    if pattern.is_dir():
        found = sorted(each for each in pattern.rglob("*.parquet") if each.is_file())
    elif glob.has_magic(str(pattern)) and not pattern.exists():
        found = sorted(map(Path, glob.glob(str(pattern), recursive=True)))  # noqa: PTH207 (of a pattern with any path)
    else:
        found = [pattern] if pattern.exists() else []
    if not found:
        raise DataError(f"{pattern}: there is no {'Parquet file in it' if pattern.is_dir() else 'such Parquet file'}")
    return found
