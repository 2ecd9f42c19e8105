"""A folder of pictures."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from polydiff.data.cache import Cache
from polydiff.data.file import File, identity
from polydiff.data.folder import FolderSource
from polydiff.data.shards import sharded
from polydiff.data.tables import hugging_face, parquet, tabled
from polydiff.errors import UsageError
from polydiff_image.pictures import PIXEL_LIMIT, SHRUNK, SUFFIXES, open_picture, read_picture


class Folder(FolderSource):
    """The PNG, JPEG, WebP, TIFF and GIF files of a folder and its sub-folders.

    Parameters
    ----------
    path
        The folder. The sub-folder that a picture lies in is its label, unless `metadata.jsonl` or `metadata.csv`
        (columns `file_name`, `label`, `caption` and any more) says otherwise.
    shrink_to
        Decode large JPEGs at 1/2, 1/4 or 1/8 of their size, several times as fast, keeping at least this many
        pixels on the shorter side. Twice the codec's size loses nothing that one could see.
    max_pixels
        Pictures of more pixels are refused.
    cache
        A folder in which pictures are kept decoded; it is made when it is not there, and can be emptied at any time. A
        picture of 256 x 256 in colour takes 200 kB.
    """

    def __init__(
        self,
        path: Path,
        shrink_to: int | None = None,
        max_pixels: int = 100_000_000,
        cache: Path | None = None,
    ) -> None:
        if not 0 < max_pixels <= PIXEL_LIMIT:
            raise UsageError(f"max_pixels is {max_pixels}; it can be from 1 to {PIXEL_LIMIT}")
        if shrink_to is not None and shrink_to < 1:
            raise UsageError(f"shrink_to is {shrink_to}; it must be at least 1")
        self.shrink_to = shrink_to
        self.max_pixels = max_pixels
        self.cache = None if cache is None else Cache(Path(cache).expanduser())
        with warnings.catch_warnings():  # around the threads of the scan, in which it would be unsafe
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            super().__init__(path, SUFFIXES)

    def check(self, path: File) -> None:
        """Read a file's header."""
        open_picture(path, self.max_pixels).close()

    def read(self, path: File) -> Image.Image:
        """Decode a file."""
        if self.cache is None:
            return read_picture(path, self.max_pixels, self.shrink_to)
        key = {**identity(path), "shrink_to": self.shrink_to, "pillow": PIL.__version__}
        kept = self.cache.arrays(key, lambda: _arrays(read_picture(path, self.max_pixels, self.shrink_to)))
        picture = Image.fromarray(kept["levels"])
        picture.info = {SHRUNK: picture.size} if "shrunk" in kept else {}
        return picture


def _arrays(picture: Image.Image) -> dict[str, NDArray[Any]]:
    levels = {"levels": np.asarray(picture)}
    return {**levels, "shrunk": np.array(picture.size)} if SHRUNK in picture.info else levels


WebDataset = sharded(Folder)
Parquet = tabled(Folder, parquet)
HuggingFace = tabled(Folder, hugging_face)
