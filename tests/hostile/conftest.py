"""A working folder, the program, and a watch over what is executed, fetched or unpickled."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

FORBIDDEN = frozenset(
    ("os.exec", "os.posix_spawn", "os.spawn", "os.system", "pickle.find_class", "socket.connect", "subprocess.Popen")
)
"""Events of Python's auditing (PEP 578) that no file of a stranger may raise."""


@dataclass
class Watch:
    """What happened while it was armed."""

    armed: bool = False
    seen: list[str] = field(default_factory=list)

    def __call__(self, event: str, args: object) -> None:
        if self.armed and event in FORBIDDEN:
            self.seen.append(f"{event} {args}")


@pytest.fixture(scope="session")
def watch():
    """A hook of this process, which cannot be taken off again."""
    made = Watch()
    sys.addaudithook(made)
    return made


@pytest.fixture
def refused(watch, capsys, tmp_path, monkeypatch):
    """Run the program in an empty folder; give its exit code and the one line of its refusal."""
    from polydiff.cli.main import main

    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    monkeypatch.chdir(place)

    def run(*args):
        capsys.readouterr()
        watch.seen.clear()
        watch.armed = True
        try:
            code = main([*map(str, args)])
        finally:
            watch.armed = False
        out, err = capsys.readouterr()
        assert watch.seen == []
        assert list(tmp_path.rglob("executed")) == []
        assert "Traceback" not in out + err
        lines = err[err.find("error: ") :].splitlines()
        assert len(lines) <= 1, err
        return code, "".join(lines)

    return run


SMALL = (
    "backbone={name: unet2d, channels: 8, multipliers: [1, 2], blocks: 1, attention: []}",
    "codec={name: pixels, size: 8, channels: 1}",
    "train={steps: 1, batch: 4, optimizer: {warmup: 1}, validation: {samples: 4, bands: 2}, preview: {samples: 1}}",
    "sample.steps=1",
    "data.workers=0",
    "--accelerator=cpu",
)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of one step."""
    from polydiff.cli.main import main

    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", "digits", *SMALL, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a run, to be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def model(run):
    """A model folder, to be spoilt."""
    return run / "model"
