"""What a run writes of itself: its recipe, its environment and its metrics."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from polydiff import files
from polydiff.errors import PolydiffError
from polydiff.recipe.dump import dump
from polydiff.recipe.schema import AnyRecipe
from polydiff.training.loggers import logger


@dataclass(frozen=True, slots=True)
class Run:
    """A run, as observers see it.

    Attributes
    ----------
    folder
        Where it writes.
    recipe
        Resolved.
    """

    folder: Path
    recipe: AnyRecipe

    @property
    def steps(self) -> int:
        """How many steps the whole run has."""
        return self.recipe.train.steps

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints."""
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        """The model folder that it ends with."""
        return self.folder / "model"


def environment(devices: Sequence[str], plugins: Mapping[str, str]) -> dict[str, Any]:
    """Tell where and with what a run is made.

    Parameters
    ----------
    devices
        The name of each process's device.
    plugins
        Their versions, by name.
    """
    packages = ("polydiff", "torch", "lightning-fabric", "numpy", "safetensors")
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in packages},
        "plugins": dict(plugins),
        "devices": list(devices),
        "threads": torch.get_num_threads(),
    }


def open_folder(run: Run, sitting: Mapping[str, Any]) -> None:
    """Write the recipe, and the environment of this sitting after those before it; a new folder whole or not at all.

    Raises
    ------
    PolydiffError
        When the system refuses.
    """
    new = not (run.folder.exists() and any(run.folder.iterdir()))
    try:
        _fill_folder(run, sitting)
    except PolydiffError:
        if new:
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def _fill_folder(run: Run, sitting: Mapping[str, Any]) -> None:
    path = run.folder / "environment.json"
    try:
        (run.folder / "previews").mkdir(parents=True, exist_ok=True)
        run.checkpoints.mkdir(exist_ok=True)
        sittings = files.read_json(path) if path.exists() else []
    except OSError as error:
        raise files.cannot_write(run.folder, error) from error
    except ValueError as error:
        raise PolydiffError(f"{path}: not JSON; remove it to go on") from error
    files.write(run.folder / "recipe.yaml", dump(run.recipe).encode())
    files.write(path, json.dumps([*sittings, sitting], indent=1).encode())


class Metrics:
    """The lines of metrics.jsonl, which only grows, and the loggers that hear the same numbers.

    After a crash the steps since the last checkpoint are made once more and stand there twice, with equal values.
    """

    def __init__(self, run: Run, loggers: Sequence[str]) -> None:
        self._path = run.folder / "metrics.jsonl"
        self._loggers = [logger(name, run.folder, run.recipe) for name in loggers]
        _drop_torn_line(self._path)

    def add(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Append a line; the numbers among its values go to the loggers.

        Raises
        ------
        PolydiffError
            When the system refuses.
        """
        line = json.dumps({"kind": kind, "step": step, **values}, allow_nan=False) + "\n"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise files.cannot_write(self._path, error) from error
        numbers = {f"{kind}/{name}": value for name, value in values.items() if isinstance(value, int | float)}
        for each in self._loggers:
            each.log_metrics(numbers, step)

    def close(self) -> None:
        """Let the loggers write what they hold."""
        for each in self._loggers:
            each.finalize("success")


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line that a crash left unfinished."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
