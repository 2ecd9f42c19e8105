"""A run ends everywhere when one of its processes is gone, even where another waits for it in vain."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Sequence

_log = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two looks."""

GRACE = 5.0
"""Seconds in which a process may end by itself after the one that started it."""

GO_ON = "the run ends; --resume goes on from its last checkpoint"


class Watch(threading.Thread):
    """Looks after the other processes of a run and ends this one, by force, when one of them is gone.

    Parameters
    ----------
    started
        Processes that this one has started, the ranks from 1 on.
    parent
        The process that has to be there for this one to go on; `None` where there is no such process.
    """

    def __init__(self, started: Sequence[subprocess.Popen[bytes]], parent: int | None) -> None:
        super().__init__(daemon=True, name="polydiff-watch")
        self._children = started
        self._parent = parent
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Look no more: the run is over."""
        self._over.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Look until the run is over."""
        while not self._over.wait(INTERVAL):
            ended = [f"process {rank} {_how(code)}" for rank, code in self._codes() if code]
            if ended:
                self._end(f"{', '.join(ended)}; {GO_ON}")
            if self._parent not in {None, os.getppid()} and not self._over.wait(GRACE):
                self._end(f"the process that started this one is gone; {GO_ON}")

    def _codes(self) -> list[tuple[int, int | None]]:
        return [(rank, process.poll()) for rank, process in enumerate(self._children, start=1)]

    @staticmethod
    def _end(why: str) -> None:
        _log.error("error: %s", why)
        os._exit(1)  # the main thread may wait for the lost process, where no exception reaches it


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
