"""`polydiff new-plugin`: what is written works, and nothing is overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from polydiff.cli.main import main

PROGRAM = [sys.executable, "-c", "import sys; from polydiff.cli.main import main; sys.exit(main())"]


def test_the_package_is_complete(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-plugin", "sea-shells"]) == 0
    folder = tmp_path / "polydiff-sea-shells"
    assert capsys.readouterr().out == (
        "wrote polydiff-sea-shells; next:\n  pip install -e polydiff-sea-shells\n  polydiff train sea-shells\n"
    )
    assert list(tmp_path.iterdir()) == [folder]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "polydiff-sea-shells"
    assert project["entry-points"] == {"polydiff": {"sea-shells": "polydiff_sea_shells.plugin"}}
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"README.md", "polydiff_sea_shells/presets/sea-shells.yaml", "tests/test_conformance.py"} <= files
    text = "".join((folder / name).read_text() for name in files)
    for placeholder in ("__NAME__", "__PACKAGE__", "__DISTRIBUTION__", "__VERSION__"):
        assert placeholder not in text


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Shells", "lower-case letters"),
        ("sea_shells", "lower-case letters"),
        ("3d", "a letter first"),
        ("a-", "words joined by '-'"),
        ("../x", "cannot name a plugin"),
        ("s" * 41, "40 at most"),
        ("polydiff-shells", "leave 'polydiff' away"),
        ("image", "taken by the installed plugin 'image' (polydiff-image"),
    ],
)
def test_bad_names_are_refused_with_a_reason(name: str, reason: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-plugin", name]) == 2
    assert reason in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_nothing_is_overwritten(kind: str, tmp_path: Path, capsys) -> None:
    place = tmp_path / "here"
    if kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nowhere")
    assert main(["new-plugin", "shells", "--out", str(place)]) == 2
    assert capsys.readouterr().err == f"error: {place} exists; choose another place with --out\n"
    assert list(tmp_path.iterdir()) == [place]


def test_a_place_that_cannot_be_written_leaves_nothing(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(["new-plugin", "shells", "--out", str(tmp_path / "file" / "shells")]) == 1
    assert capsys.readouterr().err.startswith(f"error: cannot write {tmp_path}/file/shells: ")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_what_is_written_trains_generates_and_passes_its_own_test(tmp_path: Path) -> None:
    folder = tmp_path / "polydiff-shells"
    assert main(["new-plugin", "shells", "--out", str(folder)]) == 0
    # What `pip install -e` writes, so that the test needs neither network nor a changed environment.
    (folder / "polydiff_shells-0.1.0.dist-info").mkdir()
    (folder / "polydiff_shells-0.1.0.dist-info" / "entry_points.txt").write_text(
        "[polydiff]\nshells = polydiff_shells.plugin\n"
    )
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    small = ("backbone.channels=8", "data.source={name: waves, count: 100}", "train.steps=3", "train.batch=8")
    run(*PROGRAM, "train", "shells", *small)
    run(*PROGRAM, "generate", "runs/shells", "-n", "3", "--label", "all", "--steps", "2", "--out", "out")
    assert len((tmp_path / "out" / "00002.txt").read_text().splitlines()) == 65
    retrain = ("data.source={name: folder, path: out}", "data.holdout=0", "backbone.channels=8", "train.steps=1")
    run(*PROGRAM, "train", "shells", *retrain, "train.batch=2", "conditions={}", "sample.guidance=[]", "--out", "again")
    assert "12 passed" in run(
        sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(folder)
    )
