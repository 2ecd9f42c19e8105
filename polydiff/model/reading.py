"""The content of one file of a modality."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from polydiff.data.source import Source
from polydiff.errors import DataError
from polydiff.plugins.specs import SourceSpec
from polydiff.recipe.build import build
from polydiff.recipe.component import Component


def with_content(path: Path, use: Callable[[Any], Any], *, modality: str) -> Any:
    """Use the content of a file, as the modality's source `folder` reads it; it may not be kept beyond that.

    Raises
    ------
    DataError
        When it is not there or cannot be read; the message says why.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, folder)
        try:
            source: Source = build(SourceSpec, Component("folder", {"path": folder}), modality=modality)
        except DataError as error:
            raise DataError(str(error).replace(folder, str(path))) from error
        if source.unreadable:
            raise DataError(f"{path}: {source.unreadable[0]}")
        return use(source[0].content)
