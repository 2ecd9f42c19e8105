"""Checkpoint folders: tensors as safetensors, the rest as JSON, checked by SHA-256; never a pickle."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from polydiff import files
from polydiff.errors import ModelError
from polydiff.training.stored import StoredTensors

FORMAT = 1
STATE = "state.json"
RECIPE = "recipe.yaml"
MANIFEST = "manifest.json"


class DamagedError(ModelError):
    """A checkpoint is not what was written."""


def path_of(checkpoints: Path, step: int) -> Path:
    """Give the folder of a step's checkpoint."""
    return checkpoints / f"step-{step:08d}"


def steps(checkpoints: Path) -> list[int]:
    """List the steps of which there is a whole checkpoint, in order."""
    found = (re.fullmatch(r"step-(\d{8,})", path.name) for path in checkpoints.glob("step-*"))
    return sorted(int(match[1]) for match in found if match)


def write(checkpoint: Path, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any], recipe: str) -> None:
    """Write a checkpoint aside and rename it, so that the folder is whole or what it was before.

    Parameters
    ----------
    tensors
        The tensors of each file, named without its suffix.
    state
        What JSON can hold.
    recipe
        What the run is made by, as YAML.

    Raises
    ------
    PolydiffError
        When the system refuses (disk full, ...); nothing is left behind.
    """
    try:
        begin(checkpoint)
        finish(checkpoint, put(checkpoint, tensors), state, recipe)
    finally:
        abandon(checkpoint)


def begin(checkpoint: Path) -> None:
    """Make the folder aside in which a checkpoint is written: then `put`, `finish` and, in any case, `abandon`.

    All of them raise as `write` does. Several processes may each `put` their own files before one of them finishes.
    """
    aside = _aside(checkpoint)
    with _refused(checkpoint):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)


def put(checkpoint: Path, tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, str]:
    """Write files of tensors, named without their suffix; give their names and digests."""
    digests = {}
    with _refused(checkpoint):
        for name, group in tensors.items():
            path = _aside(checkpoint) / f"{name}.safetensors"
            files.write(path, save({k: t.contiguous() for k, t in group.items()}))
            digests[path.name] = files.sha256(path)
    return digests


def finish(checkpoint: Path, digests: Mapping[str, str], state: Mapping[str, Any], recipe: str) -> None:
    """Write the rest and put the folder in its place; `digests` are those of all files of tensors."""
    aside, old = _aside(checkpoint), _old(checkpoint)
    with _refused(checkpoint):
        files.write(aside / STATE, _json({"format": FORMAT, **state}))
        files.write(aside / RECIPE, recipe.encode())
        others = {name: files.sha256(aside / name) for name in (STATE, RECIPE)}
        files.write(aside / MANIFEST, _json(dict(sorted({**digests, **others}.items()))))
        _sync(aside)
        if checkpoint.exists():
            checkpoint.rename(old)
        aside.rename(checkpoint)
        _sync(checkpoint.parent)


def abandon(checkpoint: Path) -> None:
    """Clear away what is not finished, and what has been replaced."""
    shutil.rmtree(_aside(checkpoint), ignore_errors=True)
    _settle(_old(checkpoint))


def _aside(checkpoint: Path) -> Path:
    return checkpoint.with_name(f".{checkpoint.name}.part")


def _old(checkpoint: Path) -> Path:
    return checkpoint.with_name(f".{checkpoint.name}.old")


@contextmanager
def _refused(checkpoint: Path) -> Iterator[None]:
    """Say what the system refuses."""
    try:
        yield
    except OSError as error:
        raise files.cannot_write(checkpoint, error) from error


def tidy(checkpoints: Path) -> None:
    """Clear away what a killed process has left half done, and put back what it was about to replace."""
    for old in checkpoints.glob(".step-*.old"):
        _settle(old)
    for aside in checkpoints.glob(".step-*.part"):
        shutil.rmtree(aside, ignore_errors=True)


def _settle(old: Path) -> None:
    """Remove what has been replaced, or put it back where nothing has come in its place."""
    checkpoint = old.with_name(old.name.removeprefix(".").removesuffix(".old"))
    if old.exists() and not checkpoint.exists():
        old.rename(checkpoint)
    shutil.rmtree(old, ignore_errors=True)


def verify(checkpoint: Path) -> None:
    """Check that every file is as it was written.

    Raises
    ------
    DamagedError
        With the first that is not.
    ModelError
        When it is of another format.
    """
    read_state(checkpoint)
    for name in _digests(checkpoint):
        _checked(checkpoint, name)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read the JSON part.

    Raises
    ------
    DamagedError
        When it is missing or not what was written.
    ModelError
        When it is of another format.
    """
    state: dict[str, Any] = _object(_checked(checkpoint, STATE))
    if state.get("format") != FORMAT:
        raise ModelError(f"{checkpoint}: its format is {state.get('format')}, this version reads {FORMAT}")
    return state


def share_of(name: str, process: int, processes: int) -> str:
    """Name the file of one process's rows."""
    return f"{name}-{process + 1:05d}-of-{processes:05d}"


def read_tensors(checkpoint: Path, name: str) -> StoredTensors:
    """Open the tensors of one file, or of the files of all processes that have written it.

    Raises
    ------
    DamagedError
        When one is missing; when it is read, and is not what was written.
    ModelError
        When it is no safetensors file.
    """
    shares = (re.fullmatch(rf"{name}-\d{{5}}-of-(\d{{5}})\.safetensors", each) for each in _digests(checkpoint))
    processes = max((int(match[1]) for match in shares if match), default=0)
    names = [share_of(name, process, processes) for process in range(processes)] or [name]
    paths = [_present(checkpoint, f"{each}.safetensors") for each in names]
    return StoredTensors(paths, lambda path: _checked(checkpoint, path.name))


def recipe_of(checkpoint: Path) -> Path:
    """Give the file of the recipe that the run was made by.

    Raises
    ------
    DamagedError
        When it is missing or not what was written.
    """
    return _checked(checkpoint, RECIPE)


def prune(checkpoints: Path, keep: int, spared: Collection[int]) -> None:
    """Remove all checkpoints but the newest `keep` and the `spared` ones."""
    for step in steps(checkpoints)[:-keep]:
        if step not in spared:
            path = path_of(checkpoints, step)
            aside = _aside(path)  # what is half removed is no checkpoint
            path.rename(aside)
            shutil.rmtree(aside)


def _present(checkpoint: Path, name: str) -> Path:
    path = checkpoint / name
    if name not in _digests(checkpoint) or not os.path.isfile(path):  # noqa: PTH113 (no name is too long for it)
        raise DamagedError(f"{checkpoint}: not a whole checkpoint, {name} is missing")
    return path


def _checked(checkpoint: Path, name: str) -> Path:
    path, digests = _present(checkpoint, name), _digests(checkpoint)
    try:
        same = files.sha256(path) == digests[name]
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read: {error.strerror}") from error
    if not same:
        raise DamagedError(f"{path}: changed since it was written")
    return path


def _digests(checkpoint: Path) -> dict[str, Any]:
    path = checkpoint / MANIFEST
    digests = _object(path)
    if not all(name == Path(name).name for name in digests):
        raise DamagedError(f"{path}: names files outside {checkpoint}")
    return digests


def _object(path: Path) -> dict[str, Any]:
    try:
        content = files.read_json(path)
    except FileNotFoundError as error:
        raise DamagedError(f"{path.parent}: not a whole checkpoint, {path.name} is missing") from error
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DamagedError(f"{path}: not JSON") from error
    if not isinstance(content, dict):
        raise DamagedError(f"{path}: not a JSON object")
    return content


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, allow_nan=False).encode()


def _sync(folder: Path) -> None:
    """Make what has happened to the entries of `folder` last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
