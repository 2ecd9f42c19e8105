"""Batches on one device or several, with the same result."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue

import torch

from polydiff.errors import PolydiffError, UsageError
from polydiff.generation.request import Batch
from polydiff.generation.worker import Job, Made, Worker


def resolve(accelerator: str, devices: int) -> list[torch.device]:
    """Name the devices to use.

    Parameters
    ----------
    accelerator
        "cpu", "cuda", or "auto": CUDA where there is any.
    devices
        How many; on a CPU, that many processes.

    Raises
    ------
    UsageError
        When there are not so many.
    """
    available = torch.cuda.device_count()
    if accelerator == "cpu" or (accelerator == "auto" and not available):
        return [torch.device("cpu")] * devices
    if devices > available:
        raise UsageError(
            f"CUDA devices asked for: {devices}; this machine has {available}: --accelerator cpu does without"
        )
    return [torch.device("cuda", rank) for rank in range(devices)]


def run(job: Job, batches: Iterable[Batch], devices: list[torch.device], made: list[Made]) -> Iterator[int]:
    """Add what is made of each batch to `made`, and tell how many samples that was.

    Several devices have a process each. Should it end on the way, `made` has everything whose files were written.

    Raises
    ------
    PolydiffError
        That of a worker; what others are at is finished, what is waiting is dropped.
    """
    if len(devices) == 1:
        worker = Worker(job, devices[0])
        for batch in batches:
            made += worker(batch)
            yield len(batch.wanted)
        return
    pool = _pool(job, devices)
    futures = [pool.submit(_work, batch) for batch in batches]
    waiting = set(futures)
    try:
        for future in as_completed(futures):
            waiting.remove(future)
            made += future.result()
            yield len(future.result())
    except BrokenProcessPool as error:
        raise PolydiffError("a worker process died; it may have run out of memory") from error
    finally:
        pool.shutdown(cancel_futures=True)
        for future in waiting:
            if not future.cancelled() and future.exception() is None:
                made += future.result()


def _pool(job: Job, devices: list[torch.device]) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    vacant = context.SimpleQueue()
    for device in devices:
        vacant.put(str(device))
    return ProcessPoolExecutor(len(devices), context, _begin, (job, vacant, len(devices)))


class _Desk:
    """A worker process's place: its worker, once the first batch has come."""

    def __init__(self, job: Job, device: str) -> None:
        self.job = job
        self.device = torch.device(device)
        self.worker: Worker | None = None

    def work(self, batch: Batch) -> list[Made]:
        """Serve one batch; a worker that cannot be made fails here, where its message is heard."""
        self.worker = self.worker or Worker(self.job, self.device)
        return self.worker(batch)


_desk: _Desk


def _begin(job: Job, vacant: SimpleQueue[str], processes: int) -> None:
    global _desk  # noqa: PLW0603 (a pool's tasks share nothing else)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    _desk = _Desk(job, vacant.get())


def _work(batch: Batch) -> list[Made]:
    return _desk.work(batch)
