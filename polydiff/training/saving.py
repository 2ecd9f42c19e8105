"""Writing what all processes of a run hold together: checkpoints and the model folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from polydiff.training import checkpoint
from polydiff.training.processes import Processes
from polydiff.training.sharding import gathered, is_sharded, own
from polydiff.training.state import TrainState


def save(state: TrainState, path: Path, recipe: str, processes: Processes, *, sharded: bool = False) -> None:
    """Write a checkpoint folder, with the recipe as YAML; all processes take part.

    Parameters
    ----------
    sharded
        Whether each process writes what it has of sharded tensors, into files of its own; all are then to see one file
        system. Else the first gathers them. Either is read by any number of processes, sharded or not.

    Raises
    ------
    PolydiffError
        When the system refuses; what was there before remains.
    """
    if not sharded:
        tensors = {name: gathered(group, kept=processes.first) for name, group in state.tensors().items()}
        processes.on_first(lambda: checkpoint.write(path, tensors, state.counters(), recipe))
        return
    try:
        processes.on_first(partial(checkpoint.begin, path))
        mine = {
            checkpoint.share_of(name, processes.rank, processes.count): own(group, first=processes.first)
            for name, group in state.tensors().items()
        }
        each = processes.gather(processes.together(partial(checkpoint.put, path, mine)))
        digests = {name: digest for digests in each for name, digest in digests.items()}
        processes.on_first(lambda: checkpoint.finish(path, digests, state.counters(), recipe))
    finally:
        if processes.first:
            checkpoint.abandon(path)


def export(model: Any, folder: Path, figures: Mapping[str, float], processes: Processes) -> None:
    """Write the folder of a model; all processes take part.

    Raises
    ------
    PolydiffError
        When the system refuses.
    """
    if not is_sharded(model):
        processes.on_first(partial(model.save, folder, figures))
        return
    weights = gathered(model.state_dict(), kept=processes.first)
    processes.on_first(lambda: model.save(folder, figures, weights=weights))
