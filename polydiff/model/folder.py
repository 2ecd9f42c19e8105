"""The model folder: configuration, weights, checksums and card, whole or not there.

Nothing in it is ever unpickled. A folder is refused, with one line that says why, unless its files are those it was
saved with.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from polydiff.errors import ModelError, RecipeError, UsageError, short
from polydiff.files import cannot_write, is_inside, read_json, sha256
from polydiff.recipe.dump import dump
from polydiff.recipe.load import check, read
from polydiff.recipe.schema import CodecConfig, EncodedConfig, ModelConfig, PairConfig

C = TypeVar("C", bound=EncodedConfig)

FORMAT = 1
"""The newest layout of a model folder that is known here."""

KINDS = {
    "autoencoder": ("a codec", "; a recipe takes it, as codec.of"),
    "contrastive": ("a contrastive pair", "; polydiff embed, polydiff align and the guidance 'pair' take it"),
    "backbone": ("a diffusion model", ""),
}
"""What model folders hold, by the key that tells it: what it is, and what it is for."""

CONFIG, WEIGHTS, MANIFEST, CARD = "model.yaml", "weights.safetensors", "manifest.json", "README.md"


def find(path: str | Path) -> Path:
    """Give the model folder that `path` is, or that the run folder `path` contains.

    Raises
    ------
    ModelError
        When there is neither.
    """
    path = Path(path)
    if path.is_file():
        raise ModelError(f"{path} is a file; name the folder that it is in")
    if not path.is_dir():
        raise ModelError(f"{path}: no such model folder or run folder")
    for folder in (path, path / "model"):
        if any((folder / name).exists() for name in (MANIFEST, CONFIG, WEIGHTS)):
            return folder
    if (path / "recipe.yaml").is_file():
        raise ModelError(f"{path} is a run without a model yet; polydiff train {path} --resume goes on to its end")
    raise ModelError(f"{path} holds no model: neither {MANIFEST} nor model/{MANIFEST} is there")


def verify(folder: Path) -> dict[str, str]:
    """Check that the files of a model folder are those it was saved with.

    Returns
    -------
    dict
        The SHA-256 of each checked file, by name.

    Raises
    ------
    ModelError
        When a file is missing or changed, lies outside the folder, or the folder's format is newer than known.
    """
    digests = _manifest(folder)
    for name, digest in digests.items():
        file = folder / name
        if not is_inside(folder, file):
            raise ModelError(f"{folder / MANIFEST} names '{short(name)}', which leads outside the folder")
        if not os.path.isfile(file):  # noqa: PTH113 (of any name, also one too long to be a file's)
            raise ModelError(f"{folder / short(name)} is missing")
        if sha256(file) != digest:
            raise ModelError(f"{file} is not the file that was saved: its SHA-256 differs from {MANIFEST}")
    return digests


def _manifest(folder: Path) -> dict[str, str]:
    file = folder / MANIFEST
    if not is_inside(folder, file):
        raise ModelError(f"{file} leads outside the folder")
    try:
        manifest = read_json(file)
        version, digests = manifest["format"], {**manifest["sha256"]}
    except FileNotFoundError as error:
        raise ModelError(f"{file} is missing") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{file} is damaged") from error
    check_format(file, version)
    for name in (CONFIG, WEIGHTS):
        if name not in digests:
            raise ModelError(f"{file} does not name {name}")
    return digests


def check_format(file: Path, version: Any) -> None:
    """Refuse a format that this version does not know."""
    if version not in range(1, FORMAT + 1):
        raise ModelError(f"{file} has format {version}; this polydiff reads up to {FORMAT}: upgrade polydiff")


def dump_config(config: ModelConfig | CodecConfig | PairConfig) -> bytes:
    """Write model.yaml: what the model, codec or pair is, without how it was trained."""
    kind = next(each for each in (CodecConfig, PairConfig, ModelConfig) if isinstance(config, each))
    model = kind.model_construct(**{key: getattr(config, key) for key in kind.model_fields})
    return f"format: {FORMAT}\n{dump(model)}".encode()


def read_config(folder: Path) -> ModelConfig:
    """Read the model.yaml of a diffusion model.

    Raises
    ------
    ModelError
        With the line of what is wrong in it, or when it is that of something else.
    """
    return _read(folder, ModelConfig, "backbone")


def read_codec_config(folder: Path) -> CodecConfig:
    """Read the model.yaml of a codec that was trained; raises as `read_config` does."""
    return _read(folder, CodecConfig, "autoencoder")


def read_pair_config(folder: Path) -> PairConfig:
    """Read the model.yaml of a contrastive pair; raises as `read_config` does."""
    return _read(folder, PairConfig, "contrastive")


def kind_of(folder: Path) -> str:
    """Give the key of model.yaml that tells what is in a folder: one of `KINDS`, or else that of diffusion models.

    Raises
    ------
    ModelError
        When the file cannot be read.
    """
    try:
        return _kind(read(folder / CONFIG)[0])
    except RecipeError as error:
        raise ModelError(str(error)) from error


def _kind(data: Mapping[str, Any]) -> str:
    return next((key for key in KINDS if key in data), "backbone")


def _read(folder: Path, schema: type[C], key: str) -> C:
    """Read model.yaml as a schema has it, of the things that have the key."""
    file = folder / CONFIG
    try:
        data, locations = read(file)
        check_format(file, data.pop("format", None))
        if (found := _kind(data)) != key:
            (what, use), wanted = KINDS[found], KINDS[key][0].partition(" ")[2]
            raise ModelError(f"{folder} is {what} and no {wanted}{use}")
        return check(schema, data, locations)
    except RecipeError as error:
        raise ModelError(str(error)) from error


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read tensors by name.

    Raises
    ------
    ModelError
        When the file is no safetensors file.
    """
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ModelError(f"{file} is not a safetensors file; nothing else (no pickle) is ever loaded") from error


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write a model folder aside and rename it, so that `folder` holds all of it or what it held before.

    Parameters
    ----------
    folder
        A new folder, an empty one, or a model folder to replace.
    contents
        By file name; the checksums are added.

    Raises
    ------
    UsageError
        When `folder` is something else, which is left alone.
    PolydiffError
        When the system refuses (disk full, ...); nothing is left behind.
    """
    folder = folder.resolve()
    if folder.exists() and not (folder.is_dir() and ((folder / MANIFEST).exists() or not any(folder.iterdir()))):
        raise UsageError(f"{folder} exists and is not a model folder: it is not replaced")
    digests = {name: hashlib.sha256(contents[name]).hexdigest() for name in (CONFIG, WEIGHTS)}
    manifest = json.dumps({"format": FORMAT, "sha256": digests}, indent=2) + "\n"
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        aside.mkdir(parents=True)
        for name, content in {**contents, MANIFEST: manifest.encode()}.items():
            with (aside / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _replace(folder, aside)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace(folder: Path, new: Path) -> None:
    """Put `new` in the place of `folder`; the old one goes last."""
    if not folder.exists():
        new.rename(folder)
        return
    old = new.with_suffix(".old")
    folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)
