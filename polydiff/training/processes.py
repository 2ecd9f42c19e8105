"""The processes of a run: how they are started, and how they decide together."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
import torch.distributed
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision, Precision
from torch import Tensor

from polydiff.errors import PolydiffError, UsageError
from polydiff.training.watch import GO_ON, GRACE, Watch

T = TypeVar("T")

LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out", "NCCL")
"""What errors say that come of another process's end."""


class FailedTogetherError(PolydiffError):
    """What all processes of a run raise but the first, which tells the user."""


class _Autocast(MixedPrecision):
    """Fabric's automatic mixed precision, without its rounding of every input: times and noise levels stay exact."""

    def convert_input(self, data: Any) -> Any:
        return data


def launch(*, accelerator: str = "auto", devices: int = 1, strategy: str = "auto", precision: str) -> Processes:
    """Start the processes of a run; each but the first runs this program from its beginning to this call.

    Parameters
    ----------
    accelerator
        "auto", "cpu", "cuda" or "mps".
    devices
        On this machine; under torchrun as many as it has started, here and on other machines.
    strategy
        "auto" or "ddp".
    precision
        "32-true", "bf16-mixed" or "16-mixed".

    Raises
    ------
    UsageError
        When this machine cannot do so.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    kind = device_type(accelerator)
    devices, nodes = _started_by_torchrun(devices)
    available = torch.accelerator.device_count() if kind != "cpu" else devices
    if devices > available:
        raise UsageError(f"there {_count(available, kind)} here, not {devices}")
    if precision == "16-mixed" and kind == "cpu":
        raise UsageError("precision 16-mixed needs a GPU; on the CPU there are bf16-mixed and 32-true")
    plugin = Precision() if precision == "32-true" else _Autocast(precision, kind)  # type: ignore[arg-type]
    fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy, plugins=plugin)
    fabric.launch()
    return Processes(fabric)


def _started_by_torchrun(devices: int) -> tuple[int, int]:
    """Give the devices of this machine and the number of machines."""
    if "LOCAL_WORLD_SIZE" not in os.environ:
        return devices, 1
    started, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    if devices not in {1, started}:
        raise UsageError(f"torchrun has started {started} processes here; leave --devices {devices} away")
    return started, everywhere // started


def device_type(accelerator: str) -> str:
    """Give the type of the devices to use: cpu, cuda or mps.

    Raises
    ------
    UsageError
        When there is no such device here.
    """
    found = torch.accelerator.current_accelerator(check_available=True)
    best = found.type if found is not None else "cpu"
    if accelerator == "auto":
        return best
    if accelerator not in {"cpu", best}:
        raise UsageError(
            f"there is no {accelerator} device here; there is {' and '.join(dict.fromkeys((best, 'cpu')))}"
        )
    return accelerator


def _count(devices: int, kind: str) -> str:
    return f"is 1 {kind} device" if devices == 1 else f"are {devices} {kind} devices"


class Processes:
    """What all processes of a run do and decide as one.

    A mistake on one of them is everyone's, so that none waits for a process that is gone.

    Attributes
    ----------
    fabric
        Launched.
    rank, count
        This process, from 0, of how many.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.rank, self.count = fabric.global_rank, fabric.world_size
        # Decisions travel by the CPU: they must not wait for the work queued on a GPU.
        self._group = torch.distributed.new_group(backend="gloo") if self.count > 1 else None
        started = getattr(fabric.strategy.launcher, "procs", [])
        self._watch = Watch(started, None if fabric.local_rank == 0 else os.getppid())
        if self.count > 1:
            self._watch.start()

    def close(self) -> None:
        """Let go of the other processes; a group that is still open when Python ends can abort it."""
        self._watch.stop()
        if self._group is not None:
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
