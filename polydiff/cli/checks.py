"""The engine's own checks for `polydiff doctor`."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from polydiff.errors import UsageError
from polydiff.plugins.checks import Finding

_ROOM = 1 << 30


def python() -> Iterator[Finding]:
    """Name the interpreter."""
    yield Finding("ok", f"{platform.python_version()} on {platform.platform(terse=True)}, {platform.machine()}")


def torch() -> Iterator[Finding]:
    """Name PyTorch and its devices."""
    import torch  # noqa: PLC0415 - takes seconds

    yield Finding("ok", f"{torch.__version__}, {torch.get_num_threads()} CPU threads")
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        yield Finding("ok", f"cuda:{index} is {card.name} with {card.total_memory / 2**30:.0f} GiB")
    if torch.backends.mps.is_available():
        yield Finding("ok", "mps is available")
    if torch.version.cuda is not None and not torch.cuda.is_available():
        yield Finding("warning", f"built for CUDA {torch.version.cuda}, but no usable card: training runs on the CPU")


def attention() -> Iterator[Finding]:
    """Try every attention backend on the best device."""
    import torch  # noqa: PLC0415 - takes seconds

    from polydiff.nn.attention import AttentionBackend, attend  # noqa: PLC0415 - imports torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    q = torch.zeros(1, 1, 8, 8, device=device)
    for backend in get_args(AttentionBackend):
        try:
            attend(q, q, q, backend=backend)
        except (UsageError, ImportError, NotImplementedError, RuntimeError) as error:
            optional = isinstance(error, UsageError)
            yield Finding("ok" if optional else "warning", f"no '{backend}': {error}")
        else:
            yield Finding("ok", f"'{backend}' works on {device}")


def disk() -> Iterator[Finding]:
    """Look at the space where runs go."""
    runs = Path("runs").resolve()
    place = next(folder for folder in (runs, *runs.parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    message = f"{free / 2**30:.1f} GiB free for runs in {place}"
    yield Finding("ok" if free > _ROOM else "warning", message)
