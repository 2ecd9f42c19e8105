"""What conditioners make of files, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polydiff.data.cache import Cache
from polydiff.data.file import identity

_VALUE = "value"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Raw values of a conditioner, of which those of files are read and made once.

    A raw value is made anew when its file (size and time) or the conditioner has changed.

    Attributes
    ----------
    prepare
        The conditioner's; of a file it gives an array.
    made_by
        All that a raw value depends on beside the file, as JSON has it.
    """

    cache: Cache
    prepare: Callable[[Any], Any]
    made_by: Mapping[str, Any]

    def __call__(self, value: Any) -> Any:
        """Make a raw value, or give the one that is kept.

        Raises
        ------
        PolydiffError
            As `prepare` does, when the file is gone, and when the disk is full.
        """
        if not isinstance(value, Path):
            return self.prepare(value)
        key = {"made_by": self.made_by, "file": identity(value)}
        return self.cache.arrays(key, lambda: {_VALUE: self.prepare(value)})[_VALUE]
