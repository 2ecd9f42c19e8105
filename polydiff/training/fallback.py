"""Which checkpoint a run goes on from: the newest that is whole."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from polydiff import files
from polydiff.errors import ModelError, UsageError
from polydiff.training import checkpoint
from polydiff.training.checkpoint import DamagedError

_log = logging.getLogger(__name__)


def newest_whole(checkpoints: Path) -> Path:
    """Find the newest checkpoint that is as it was written; newer ones are renamed and named in a warning.

    Raises
    ------
    UsageError
        When there is no checkpoint.
    ModelError
        When there are checkpoints and none is whole, or the newest is of another format.
    """
    checkpoint.tidy(checkpoints)
    damaged: dict[Path, DamagedError] = {}
    for step in reversed(checkpoint.steps(checkpoints)):
        path = checkpoint.path_of(checkpoints, step)
        try:
            checkpoint.verify(path)
        except DamagedError as error:
            damaged[path] = error
        else:
            _set_aside(damaged, path)
            return path
    run = checkpoints.parent
    if not damaged:
        raise UsageError(f"{run} has no checkpoint to resume from; remove it and start again without --resume")
    raise ModelError(f"{run} cannot be resumed, no checkpoint is whole: {'; '.join(map(str, damaged.values()))}")


def _set_aside(damaged: dict[Path, DamagedError], good: Path) -> None:
    for path, error in damaged.items():
        aside = path.with_name(f"damaged-{path.name}")
        try:
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
        except OSError as refusal:
            raise files.cannot_write(aside, refusal) from refusal
        _log.warning("%s; it is now %s, and the run goes on from %s", error, aside.name, good.name)
