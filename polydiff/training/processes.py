"""The processes of a run: how they are started, and how they decide together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar, cast

import torch
import torch.distributed
from lightning_fabric import Fabric
from torch import Tensor

from polydiff.errors import PolydiffError
from polydiff.training.layout import Layout, layout
from polydiff.training.strategies import fabric_for, mesh_of
from polydiff.training.watch import GO_ON, GRACE, Watch

T = TypeVar("T")

LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out", "NCCL")
"""What errors say that come of another process's end."""

STARTED_BY = "POLYDIFF_STARTED_BY"
"""The environment's name for the process that starts the others of its machine."""


class FailedTogetherError(PolydiffError):
    """What all processes of a run raise but the first, which tells the user."""


def launch(
    *,
    accelerator: str = "auto",
    devices: int | None = None,
    nodes: int | None = None,
    strategy: str = "auto",
    precision: str,
) -> Processes:
    """Start the processes of a run; each but the first runs this program from its beginning to this call.

    Parameters
    ----------
    accelerator
        "auto", "cpu", "cuda" or "mps".
    devices, nodes
        See `layout`.
    strategy
        "auto", "ddp" or "fsdp".
    precision
        "32-true", "bf16-mixed" or "16-mixed".

    Raises
    ------
    UsageError
        When this machine cannot do so.
    """
    place = layout(devices, nodes)
    fabric = fabric_for(place, accelerator=accelerator, strategy=strategy, precision=precision)
    parent = _parent(fabric, place)
    with Watch((), parent):  # else one that starts waits for half an hour for another that is gone
        fabric.launch()
    return Processes(fabric, parent)


def _parent(fabric: Fabric, place: Layout) -> int | None:
    """Give the process that started this one for the run; by its own word where it can give it: it may be gone."""
    if fabric.local_rank == 0:
        os.environ[STARTED_BY] = str(os.getpid())
        return None
    return os.getppid() if place.starter else int(os.environ[STARTED_BY])


class Processes:
    """What all processes of a run do and decide as one.

    A mistake on one of them is everyone's, so that none waits for a process that is gone.

    Attributes
    ----------
    fabric
        Launched.
    rank, count
        This process, from 0, of how many.
    mesh
        Those among which parameters are divided; `None` where each process has them all.
    """

    def __init__(self, fabric: Fabric, parent: int | None = None) -> None:
        self.fabric = fabric
        self.rank, self.count = fabric.global_rank, fabric.world_size
        self.mesh = mesh_of(fabric)
        # Decisions travel by the CPU: they must not wait for the work queued on a GPU.
        self._group = torch.distributed.new_group(backend="gloo") if self.count > 1 else None
        started = getattr(fabric.strategy.launcher, "procs", [])
        self._watch = Watch(started, parent)
        if self.count > 1:
            self._watch.start()

    def close(self) -> None:
        """Let go of the other processes; a group that is still open when Python ends can abort it."""
        self._watch.stop()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def explained(self, error: RuntimeError) -> RuntimeError | PolydiffError:
        """Say what an error that is another process's end means; give any other as it is."""
        if self.count == 1 or not any(sign in str(error) for sign in LOST):
            return error
        time.sleep(GRACE)  # the watch knows more where the process is one of this machine, and ends this one
        return PolydiffError(f"process {self.rank} has lost touch with another one; {GO_ON}")

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def agree(self, error: PolydiffError | None, *values: float) -> list[float]:
        """Give the greatest of each value over the processes; raise everywhere what failed anywhere."""
        if self._group is not None:
            votes = torch.tensor([error is not None, *values], dtype=torch.float64)
            torch.distributed.all_reduce(votes, torch.distributed.ReduceOp.MAX, self._group)
            values = tuple(votes[1:].tolist())
            if votes[0]:
                error = next(each for each in self.gather(error) if each is not None)
        if error is not None:
            raise self.everywhere(error)
        return list(values)

    def everywhere(self, error: PolydiffError) -> PolydiffError:
        """Give what this process should raise for an error that all of them have."""
        return error if self.first else FailedTogetherError(str(error))

    def gather(self, each: T) -> list[T]:
        """Give everyone what each process has, by rank."""
        if self._group is None:
            return [each]
        gathered: list[T] = [each] * self.count
        torch.distributed.all_gather_object(gathered, each, self._group)
        return gathered

    def together(self, action: Callable[[], T]) -> T:
        """Act on all processes; an error of any is everyone's."""
        result, error = _attempt(action)
        self.agree(error)
        return cast(T, result)

    def on_first(self, action: Callable[[], T]) -> T:
        """Act on the first process while the others wait; what it gives, or its error, is everyone's."""
        result, error = _attempt(action) if self.first else (None, None)
        self.agree(error)
        return cast(T, self.gather(result)[0])

    def total(self, x: Tensor) -> Tensor:
        """Sum a tensor over the processes, in place, where it is."""
        if self.count > 1:
            torch.distributed.all_reduce(x, group=self._group if x.device.type == "cpu" else None)
        return x


def _attempt(action: Callable[[], T]) -> tuple[T | None, PolydiffError | None]:
    try:
        return action(), None
    except PolydiffError as error:
        return None, error
