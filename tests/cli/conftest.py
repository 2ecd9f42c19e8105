"""What the tests of bad input share: small runs of the image plugin, and what the program said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

SMALL = (
    "backbone={name: unet2d, channels: 8, multipliers: [1, 2], blocks: 1, attention: []}",
    "codec={name: pixels, size: 8, channels: 1}",
    "train={steps: 2, batch: 4, optimizer: {warmup: 1}, validation: {samples: 4, bands: 2}, preview: {samples: 2}}",
    "sample.steps=2",
    "data.workers=0",
    "--accelerator=cpu",
)
"""Overrides that make a run of seconds of any preset."""


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def polydiff(capsys):
    """Run the program in this process; whatever it says on stderr has no traceback, a refusal has two lines at most."""
    from polydiff.cli.main import main

    def run(*args, small=False):
        command, *rest = map(str, args)
        code = main([command, *rest[:1], *(SMALL if small else ()), *rest[1:]])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        if code:
            errors = err[err.index("error: ") :]
            assert len(errors.splitlines()) <= 2, err
        return Said(code, out, err)

    return run


@pytest.fixture
def small():
    """Give the arguments that make a run of seconds of any preset."""
    return list(SMALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working folder."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def pictures(tmp_path):
    """Write pictures of noise into `tmp_path`/pictures, by their names there."""
    from PIL import Image

    folder = tmp_path / "pictures"
    rng = np.random.default_rng(0)

    def write(*names, mode="RGB", side=32):
        for name in names:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            shape = (side, side, len(mode)) if len(mode) > 1 else (side, side)
            Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(file)
        return folder

    return write


@pytest.fixture(scope="session")
def digits_model(tmp_path_factory):
    """A model folder of digits with random weights."""
    import torch

    from polydiff.model import Model
    from polydiff.plugins.host import host
    from polydiff.recipe.load import load_recipe

    torch.manual_seed(0)
    classes = "conditions.label.classes=[" + ",".join(f"'{i}'" for i in range(10)) + "]"
    recipe = load_recipe(host().preset("digits"), [*SMALL[:-1], classes])
    folder = tmp_path_factory.mktemp("models") / "digits"
    Model.from_config(recipe).save(folder)
    return folder


@pytest.fixture
def model(digits_model, tmp_path):
    """A copy of `digits_model`, to be spoilt."""
    import shutil

    return Path(shutil.copytree(digits_model, tmp_path / "model"))


@pytest.fixture
def tree():
    """List everything in a folder with its content."""

    def tree(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
        }

    return tree
