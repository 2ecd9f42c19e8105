"""Files that a file names: they stay in the folder, and nothing is fetched."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import unquote

from PIL import Image

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff.files import is_inside


class Confined:
    """Gives trimesh what a mesh names.

    trimesh passes over what it does not get, so a refusal is remembered here and raised after.

    Parameters
    ----------
    file
        The mesh, which names are relative to.
    root
        That a named file has to stay in; `None` for a mesh that is in no folder.
    """

    def __init__(self, file: File, root: Path | None) -> None:
        self.file = file
        self.root = root
        self.fault: DataError | None = None

    def get(self, name: str) -> bytes:
        """Read a file; raise `DataError` when it is refused or cannot be read."""
        try:
            path = locate(name, self.file, self.root)
            content = path.read_bytes()
            if path.suffix.lower() in Image.registered_extensions():
                _check_picture(name, content)
            return content
        except OSError as error:
            self.fault = DataError(f"names '{name}', which cannot be opened: {error.strerror}")
        except DataError as error:
            self.fault = error
        raise self.fault

    __getitem__ = get


def locate(name: str, file: File, root: Path | None) -> Path:
    """Give the path of what a file names, as it stands or as a URI.

    Raises
    ------
    DataError
        When it has a scheme such as `http:`, lies outside `root` or is no file, or `file` is in an archive.
    """
    if ":" in name:
        raise DataError(f"names '{_short(name)}'; only files in its folder are read, and nothing is fetched")
    if root is None or not isinstance(file, Path):
        raise DataError(f"names '{_short(name)}'; a mesh in an archive or a table has to be whole in itself")
    paths = [
        file.parent / spelled.replace("\\", "/") for spelled in dict.fromkeys((name.strip(), unquote(name.strip())))
    ]
    if not all(is_inside(root, path) for path in paths):
        raise DataError(f"names '{_short(name)}', which lies outside its folder")
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise DataError(f"names '{_short(name)}', which is no file in its folder")
    return found


def _check_picture(name: str, content: bytes) -> None:
    try:
        Image.open(io.BytesIO(content)).close()
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"names '{_short(name)}', which is no picture that can be read") from error


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:77]}..."
