"""Checkpoint folders: tensors as safetensors, the rest as JSON, checked by SHA-256; never a pickle."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from polydiff import files
from polydiff.errors import ModelError

FORMAT = 1
STATE = "state.json"
MANIFEST = "manifest.json"


def path_of(checkpoints: Path, step: int) -> Path:
    """Give the folder of a step's checkpoint."""
    return checkpoints / f"step-{step:08d}"


def steps(checkpoints: Path) -> list[int]:
    """List the steps of which there is a whole checkpoint, in order."""
    found = (re.fullmatch(r"step-(\d{8,})", path.name) for path in checkpoints.glob("step-*"))
    return sorted(int(match[1]) for match in found if match)


def write(checkpoint: Path, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
    """Write a checkpoint aside and rename it, so that the folder is whole or not there.

    Parameters
    ----------
    tensors
        The tensors of each file, named without its suffix.
    state
        What JSON can hold.

    Raises
    ------
    PolydiffError
        When the system refuses (disk full, ...); nothing is left behind.
    """
    aside = checkpoint.with_name(f".{checkpoint.name}.part")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, group in tensors.items():
            files.write(aside / f"{name}.safetensors", save({k: t.contiguous() for k, t in group.items()}))
        files.write(aside / STATE, _json({"format": FORMAT, **state}))
        digests = {path.name: files.sha256(path) for path in sorted(aside.iterdir())}
        files.write(aside / MANIFEST, _json(digests))
        _sync(aside)
        shutil.rmtree(checkpoint, ignore_errors=True)
        aside.rename(checkpoint)
        _sync(checkpoint.parent)
    except OSError as error:
        raise files.cannot_write(checkpoint, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read the JSON part.

    Raises
    ------
    ModelError
        When it is missing, not what was written or of another format.
    """
    state: dict[str, Any] = _object(_checked(checkpoint, STATE))
    if state.get("format") != FORMAT:
        raise ModelError(f"{checkpoint}: its format is {state.get('format')}, this version reads {FORMAT}")
    return state


def read_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """Read the tensors of one file, onto the CPU.

    Raises
    ------
    ModelError
        When it is missing, not what was written or no safetensors file.
    """
    path = _checked(checkpoint, f"{name}.safetensors")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file; it is not opened") from error


def prune(checkpoints: Path, keep: int, spared: Collection[int]) -> None:
    """Remove all checkpoints but the newest `keep` and the `spared` ones."""
    for step in steps(checkpoints)[:-keep]:
        if step not in spared:
            shutil.rmtree(path_of(checkpoints, step))


def _checked(checkpoint: Path, name: str) -> Path:
    path = checkpoint / name
    digests = _object(checkpoint / MANIFEST)
    if name not in digests or not path.is_file():
        raise ModelError(f"{checkpoint}: not a whole checkpoint, {name} is missing")
    if files.sha256(path) != digests[name]:
        raise ModelError(
            f"{path}: changed since it was written; remove {checkpoint} to go on from the checkpoint before it"
        )
    return path


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{path.parent}: not a whole checkpoint, {path.name} is missing") from error
    except ValueError as error:
        raise ModelError(f"{path}: not JSON") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not a JSON object")
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
