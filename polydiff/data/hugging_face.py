"""Tables of Parquet files, of a folder or of the Hugging Face hub, mapped from the disk: the only home of `datasets`.

No code of a data set is ever run: only data files are read, of kinds that hold nothing but data.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polydiff.errors import DataError, PluginError, UsageError, unknown
from polydiff.files import is_inside

if TYPE_CHECKING:
    from datasets import Dataset

HUB_KINDS = ("arrow", "cache", "parquet", "webdataset")
"""Of the kinds of data files that the library knows, those whose tables hold files rather than name them; "cache" is
what was fetched before.
"""

_REPO = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)

_DICT, _STATE = "dataset_dict.json", "state.json"


def read_parquet(files: Sequence[Path]) -> Dataset:
    """Read Parquet files of the same columns as one table, its rows in the order of the files.

    The library keeps an Arrow copy in its own cache (`HF_HOME`), from which rows are read at any place.

    Raises
    ------
    DataError
        When a file is none, or has other columns than the first.
    """
    with _library(str(files[0].parent if len(files) > 1 else files[0])) as datasets:
        _check_columns(files)
        table: Dataset = datasets.load_dataset("parquet", data_files=list(map(str, files)), split="train")
        return table


def is_saved(folder: Path) -> bool:
    """Tell whether `save_to_disk` wrote to a folder."""
    return (folder / _DICT).is_file() or (folder / _STATE).is_file()


def read_saved(folder: Path, split: str | None) -> Dataset:
    """Map what `save_to_disk` wrote to a folder.

    Raises
    ------
    DataError
        When the folder holds no such thing, or not that split.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: {'is no folder' if folder.exists() else 'there is no such folder'}")
    if (folder / _DICT).is_file():
        names = _names(folder / _DICT, _json(folder / _DICT).get("splits"))
        folder = folder / _split(names, split, str(folder))
    elif split is not None:
        raise DataError(f"{folder}: has no splits; leave out data.source.split")
    if not (folder / _STATE).is_file():
        raise DataError(f"{folder}: holds no data set that `save_to_disk` of the library datasets has written")
    _check_inside(folder)
    with _library(str(folder)) as datasets:
        table: Dataset = datasets.Dataset.load_from_disk(str(folder))
        return table


def read_hub(repo: str, config: str | None, split: str | None, revision: str | None) -> Dataset:
    """Fetch a data set from the Hugging Face hub to the library's cache (`HF_HOME`), and map it.

    Raises
    ------
    UsageError
        When `repo` is not of the form "owner/name".
    DataError
        When there is no such data set, configuration or split, it does not hold the files themselves, or the hub cannot
        be reached and it has not been fetched before.
    """
    if not _REPO.fullmatch(repo):
        raise UsageError(f"'{repo}' is no data set of the hub; say OWNER/NAME, or path=FOLDER for one on the disk")
    if Path(repo).exists():
        raise UsageError(f"there is a folder {repo} here; say path={repo} for it, or start somewhere else")
    with _library(repo) as datasets, _reachable(repo, revision):
        builder = datasets.load_dataset_builder(repo, config, revision=revision)
        kind = type(builder).__module__.rpartition(".")[2]
        if kind not in HUB_KINDS:
            ways = "revision=refs/convert/parquet, under which the hub keeps most data sets as tables, may have them"
            raise DataError(f"{repo}: is stored as {kind}, which holds no files in its tables; {ways}")
        builder.download_and_prepare()
        table: Dataset = builder.as_dataset(_split(list(builder.info.splits), split, repo))
        return table


@contextmanager
def _library(place: str) -> Iterator[Any]:
    """Give the library, keep it from the screen, and make one line of what it raises."""
    try:
        import datasets  # noqa: PLC0415 (takes a second, and is an extra)
    except ImportError as error:
        raise PluginError("the sources parquet and hf need datasets: pip install 'polydiff[hf]'") from error
    hidden = datasets.are_progress_bars_disabled()
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in ("datasets", "huggingface_hub")}
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield datasets
    except (DataError, UsageError):
        raise
    except Exception as error:  # the library, its readers and its network raise almost anything
        raise DataError(f"{place}: {_reason(error)}") from error
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)
        if not hidden:
            datasets.enable_progress_bars()


@contextmanager
def _reachable(repo: str, revision: str | None) -> Iterator[None]:
    """Ask for a data set once; when nobody answers, let the library take it from its cache instead of asking on."""
    import datasets  # noqa: PLC0415 (takes a second, and is an extra)
    import huggingface_hub  # noqa: PLC0415

    try:
        huggingface_hub.HfApi().dataset_info(repo, revision=revision, timeout=10)
    except huggingface_hub.errors.HfHubHTTPError as error:
        reason = "there is no such data set or revision on the hub, or it is not open to you"
        raise DataError(f"{repo}: {reason}") from error
    except huggingface_hub.errors.HFValidationError as error:
        raise UsageError(f"'{repo}' is no data set of the hub: {_reason(error)}") from error
    except Exception as error:  # whatever the network raises
        unreached = f"{repo}: the Hugging Face hub cannot be reached ({_reason(error)})"
    else:
        yield
        return
    if revision is not None:  # the library would take any that is in its cache
        raise DataError(f"{unreached}, which revision={revision} needs")
    with _offline(datasets.config, huggingface_hub.constants):
        try:
            yield
        except (OSError, ValueError) as error:
            raise DataError(f"{unreached}, and it has not been fetched before") from error


@contextmanager
def _offline(*switches: Any) -> Iterator[None]:
    before = [each.HF_HUB_OFFLINE for each in switches]
    for each in switches:
        each.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for each, value in zip(switches, before, strict=True):
            each.HF_HUB_OFFLINE = value


def _reason(error: BaseException) -> str:
    """Say in one line what went wrong, by what lies behind it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).strip().splitlines()), repr(error))


def _split(there: Sequence[str], asked: str | None, place: str) -> str:
    """Choose a split: the one asked for, or else "train" or the only one."""
    if asked is not None and asked not in there:
        raise DataError(f"{place}: {unknown('split', asked, there)}")
    if asked is None and "train" not in there and len(there) != 1:
        raise DataError(f"{place}: has the splits {', '.join(there)}; say one: data.source.split={there[0]}")
    return asked or ("train" if "train" in there else there[0])


def _check_columns(files: Sequence[Path]) -> None:
    """Read the files' footers; raise `DataError` with the name of one that does not fit."""
    import pyarrow.parquet  # noqa: PLC0415 (comes with the library)

    first: set[str] | None = None
    for file in files:
        try:
            names = set(pyarrow.parquet.read_schema(file).names)
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: is no Parquet file, or damaged: {_reason(error)}") from error
        first = names if first is None else first
        if names != first:
            raise DataError(f"{file}: has not the columns of {files[0].name}: {', '.join(sorted(names ^ first))}")


def _check_inside(folder: Path) -> None:
    """Raise `DataError` when a saved data set names a file outside of its folder."""
    entries = _json(folder / _STATE).get("_data_files")
    listed = isinstance(entries, list) and all(isinstance(each, dict) for each in entries)
    _names(folder / _STATE, [each.get("filename") for each in entries or ()] if listed else None)


def _names(file: Path, names: Any) -> list[str]:
    """Check the names that a file lists of what lies beside it."""
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{file}: does not list what lies beside it")
    for name in names:
        if not is_inside(file.parent, file.parent / name):
            raise DataError(f"{file}: names '{name}', which leads out of the folder")
    return names


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{file}: is no JSON object")
    return content
