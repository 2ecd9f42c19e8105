"""Reading batches, in this process or ahead of time in others."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch.utils.data import DataLoader, Dataset

from polydiff.data.examples import Batch, ExampleSet, collate
from polydiff.errors import PolydiffError


def batches(
    examples: ExampleSet, positions: Iterable[Sequence[int]], *, workers: int = 0, pin_memory: bool = False
) -> Iterator[Batch]:
    """Read the batches that stand at the given positions, in that order, whatever the number of workers.

    Parameters
    ----------
    positions
        The positions of each batch; may be endless.
    workers
        Processes that read ahead; 0 reads in this one.
    pin_memory
        For copies to a GPU that overlap with its work.

    Yields
    ------
    Batch
        Its `unreadable` names each item that was passed over only the first time it is met.

    Raises
    ------
    PolydiffError
        As the set of examples does, with the same message whichever process met it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")  # the recipe's number, whatever the machine
        loader = DataLoader(
            _Reader(examples),
            batch_sampler=positions,  # type: ignore[arg-type]  # any iterable of index sequences serves
            num_workers=workers,
            collate_fn=_as_read,
            worker_init_fn=_leave_signals,
            pin_memory=pin_memory,
        )
        stream = iter(loader)
    reported: set[str] = set()
    try:
        for batch in stream:
            if isinstance(batch, PolydiffError):
                raise batch
            new = tuple(line for line in batch.unreadable if line not in reported)
            reported.update(new)
            yield replace(batch, unreadable=new)
    finally:
        del stream  # ends the processes at once: an error's traceback would keep them, and they the program's end


@dataclass(frozen=True, slots=True)
class _Reader(Dataset[Batch | PolydiffError]):
    """Reads whole batches, and gives an error as a value: raised in a worker, it would come with its traceback."""

    examples: ExampleSet

    def __getitems__(self, positions: Sequence[int]) -> Batch | PolydiffError:
        try:
            return collate([self.examples[position] for position in positions])
        except PolydiffError as error:
            return error


def _leave_signals(_worker: int) -> None:
    """Let the process that asked decide what Ctrl-C or a batch system's SIGTERM to the whole group means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _as_read(batch: Any) -> Any:
    return batch
