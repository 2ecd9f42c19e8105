"""What reads files that anybody may have made, each as a function of a file's bytes, and valid files to begin from.

`tests/hostile/test_readers.py` tries each on random and on changed files in the suite; `fuzz/run.py` does so for
minutes, guided by what the changes reach.
"""

from __future__ import annotations

import functools
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save as save_tensors

from polydiff.data.metadata import read_table
from polydiff.data.scan import scan
from polydiff.data.tar import members
from polydiff.files import sha256
from polydiff.model import folder as model_folder
from polydiff.model import tuned
from polydiff.recipe.build import resolve
from polydiff.recipe.load import load_recipe
from polydiff.training import checkpoint


@dataclass(frozen=True)
class Reader:
    """A reader of one kind of file.

    Attributes
    ----------
    read
        Given an empty folder and the content, which it may write there.
    seeds
        Contents that are valid.
    """

    read: Callable[[Path, bytes], object]
    seeds: Sequence[bytes]

    def __call__(self, content: bytes) -> None:
        """Read a content; raises nothing but `PolydiffError`, of one line."""
        with tempfile.TemporaryDirectory() as folder:
            self.read(Path(folder), content)


def _put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _recipe(folder: Path, content: bytes) -> None:
    resolve(load_recipe(_put(folder / "my.yaml", content)))


def _override(folder: Path, content: bytes) -> None:
    load_recipe(_put(folder / "my.yaml", RECIPE), content.decode("utf-8", "replace").splitlines())


def _table(name: str, folder: Path, content: bytes) -> None:
    _put(folder / "cat" / "1.png", b"")
    list(read_table(_put(folder / name, content)))
    scan(folder, {".png"})


def _manifest(folder: Path, content: bytes) -> None:
    for name in (model_folder.CONFIG, model_folder.WEIGHTS):
        _put(folder / name, b"")
    model_folder.verify(_put(folder / model_folder.MANIFEST, content).parent)


def _config(folder: Path, content: bytes) -> None:
    resolve(model_folder.read_config(_put(folder / model_folder.CONFIG, content).parent))


def _weights(folder: Path, content: bytes) -> None:
    model_folder.read_weights(_put(folder / model_folder.WEIGHTS, content))


def _grids(folder: Path, content: bytes) -> None:
    tuned.read(_put(folder / tuned.FILE, content).parent)


def _checkpoint_manifest(folder: Path, content: bytes) -> None:
    for name in (checkpoint.STATE, checkpoint.RECIPE):
        _put(folder / name, b"{}")
    checkpoint.verify(_put(folder / checkpoint.MANIFEST, content).parent)


def _state(folder: Path, content: bytes) -> None:
    digest = sha256(_put(folder / checkpoint.STATE, content))
    _put(folder / checkpoint.MANIFEST, json.dumps({checkpoint.STATE: digest}).encode())
    checkpoint.read_state(folder)


def _archive(folder: Path, content: bytes) -> None:
    for member, read in members(str(_put(folder / "a.tar", content)), [].append):
        assert not member.path.is_absolute()
        assert ".." not in member.path.parts
        read()


RECIPE = b"""\
modality: image
codec: {name: pixels, size: 8, channels: 1}
backbone: {name: unet2d, channels: 8, multipliers: [1, 2], blocks: 1, attention: []}
conditions: {label: {name: class, dropout: 0.1}}
schedule: {name: shifted, base: cosine, scale: 0.5}
prediction: v
data:
  source: {name: digits}
  also: [{name: digits}]
  holdout: 0.1
train: {steps: 2, batch: 4, optimizer: {lr: 1e-3, warmup: 1}}
sample: {steps: 2, sampler: {name: ddim, eta: 0.5}, guidance: [{name: cfg, scale: 2}]}
"""

_MODEL = b"format: 1\n" + RECIPE[: RECIPE.index(b"data:")] + RECIPE[RECIPE.index(b"sample:") :]

_CSV = b'file_name,label,caption,size\ncat/1.png,cat,"a ""cat""",1.5e3\n'
_JSONL = b'{"file_name": "cat/1.png", "label": "cat", "caption": null, "size": [1, {"a": 2}]}\n'
_MANIFEST = json.dumps(
    {"format": 1, "sha256": dict.fromkeys((model_folder.CONFIG, model_folder.WEIGHTS), 64 * "0")}
).encode()
_GRIDS = b'{"format": 1, "grids": [{"sampler": {"name": "ddim"}, "times": [1.0, 0.5, 0.0], "model": "0"}]}'


def _tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in {"cat/1.png": b"abc", "cat/1.json": b"{}", "é" * 120: b""}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return content.getvalue()[: 14 * 512]


def _tensors() -> bytes:
    return save_tensors({"a": np.zeros((2, 3), np.float32), "b": np.zeros(1, np.int64)}, {"format": "pt"})


READERS: Mapping[str, Reader] = {
    "recipe": Reader(_recipe, [RECIPE, b"%YAML 1.2\n---\n" + RECIPE]),
    "override": Reader(_override, [b"train.steps=5", b"sample.guidance.0.scale=2\nbackbone={name: unet2d}"]),
    "metadata-csv": Reader(functools.partial(_table, "metadata.csv"), [_CSV]),
    "metadata-jsonl": Reader(functools.partial(_table, "metadata.jsonl"), [_JSONL]),
    "archive": Reader(_archive, [_tar()]),
    "model-manifest": Reader(_manifest, [_MANIFEST]),
    "model-config": Reader(_config, [_MODEL]),
    "model-weights": Reader(_weights, [_tensors()]),
    "model-grids": Reader(_grids, [_GRIDS]),
    "checkpoint-manifest": Reader(_checkpoint_manifest, [b'{"state.json": "0", "recipe.yaml": "0"}']),
    "checkpoint-state": Reader(_state, [b'{"format": 1, "step": 2, "best": null}']),
}
