"""`polydiff new-plugin`: a plugin package to begin with."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from polydiff.errors import UsageError
from polydiff.files import cannot_write
from polydiff.plugins.distributions import version
from polydiff.plugins.host import host

_TEMPLATE = Path(__file__).parent / "templates" / "plugin"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40


@click.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to; polydiff-NAME by default.")
def new_plugin(name: str, out: Path | None) -> None:
    """Write a plugin package for the modality NAME, complete and ready to train: make it your own."""
    check_name(name)
    folder = out or Path(f"polydiff-{name}")
    write(name, folder)
    click.echo(f"wrote {folder}; next:\n  pip install -e {folder}\n  polydiff train {name}")


def check_name(name: str) -> None:
    """Raise UsageError for a name that no new plugin can have."""
    if name.startswith("polydiff"):
        raise UsageError(f"'{name}': leave 'polydiff' away; the package for NAME will be called polydiff-NAME")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"'{name}' cannot name a plugin: it takes lower-case letters and digits, in words joined by '-', "
            f"a letter first, {_LONGEST} at most"
        )
    for record in host().plugins:
        taken = {record.plugin.name, *(entry.spec.name for entry in record.registered if entry.spec.kind == "modality")}
        if name in taken:
            raise UsageError(f"'{name}' is taken by the installed {record.plugin}; choose another name")


def write(name: str, folder: Path) -> None:
    """Render the template into a new folder: whole, or not at all.

    Raises
    ------
    UsageError
        When the folder exists.
    PolydiffError
        When it cannot be written.
    """
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} exists; choose another place with --out")
    words = {
        "__NAME__": name,
        "__PACKAGE__": f"polydiff_{name.replace('-', '_')}",
        "__DISTRIBUTION__": f"polydiff-{name}",
        "__VERSION__": version("polydiff"),
    }
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        for source in sorted(_TEMPLATE.rglob("*")):
            if source.is_file() and source.suffix != ".pyc":
                target = aside / _fill(str(source.relative_to(_TEMPLATE)), words)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(_fill(source.read_text(encoding="utf-8"), words), encoding="utf-8")
        aside.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fill(text: str, words: Mapping[str, str]) -> str:
    for placeholder, word in words.items():
        text = text.replace(placeholder, word)
    return text
