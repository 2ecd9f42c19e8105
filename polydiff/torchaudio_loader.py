"""Importing torchaudio with a torch of another build."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from threading import Lock
from types import ModuleType
from typing import Any

_EXTENSION = "torchaudio._extension"


_LOADING = Lock()


def load_torchaudio() -> ModuleType:
    """Import torchaudio, without its native extension when that cannot be loaded; from any thread.

    The extension of the common builds needs CUDA's libraries, and with a torch for CPUs torchaudio cannot be
    imported at all, nor can transformers where it is installed. What it speeds up or adds (`lfilter` and the biquads,
    forced alignment, RNN-T) is not used here; all else is written in Python on top of torch.

    Raises
    ------
    ImportError
        When torchaudio is not installed.
    """
    with _LOADING:
        return _loaded()


@cache
def _loaded() -> ModuleType:
    try:
        return importlib.import_module("torchaudio")
    except (OSError, RuntimeError):  # a library is missing; built for another CUDA than torch
        for name in [name for name in list(sys.modules) if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
    sys.modules[_EXTENSION] = _no_extension()
    return importlib.import_module("torchaudio")


def _no_extension() -> ModuleType:
    """Make what `torchaudio._extension` is where there is no library."""

    def load_lib(_: str) -> bool:
        return False

    def same(function: Any) -> Any:
        return function

    stub: Any = ModuleType(_EXTENSION, "Stands in for the native extension.")
    stub._IS_TORCHAUDIO_EXT_AVAILABLE = False
    stub._IS_ALIGN_AVAILABLE = False
    stub._load_lib = load_lib
    stub.fail_if_no_align = same
    return stub  # type: ignore[no-any-return]
