"""A picture conditioned on a sound, from the files of the example to a generated picture."""

import csv
import runpy
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("polydiff_audio")
pytest.importorskip("polydiff_image")

from click.testing import CliRunner

from polydiff.cli.main import polydiff

EXAMPLES = Path(__file__).parents[2] / "examples"
BRIEFLY = [
    "train.steps=2",
    "train.batch=8",
    "train.validation.every=2",
    "train.preview.every=2",
    "train.preview.samples=2",
    "sample.steps=2",
]


def run(*words):
    result = CliRunner().invoke(polydiff, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_a_digit_is_drawn_by_its_sound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = str(EXAMPLES / "spoken_digits.py")
    monkeypatch.setattr(sys, "argv", [script, "spoken-digits", "--count", "20", "--times", "2"])
    runpy.run_path(script, run_name="__main__")
    with Path("spoken-digits/train/metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 32
    voices = {row["voice"] for row in rows}
    with Path("spoken-digits/held-out/metadata.csv").open() as file:
        assert not voices & {row["voice"] for row in csv.DictReader(file)}
    report = run("data", "check", EXAMPLES / "spoken-digits.yaml")
    assert "36" in report

    run("train", EXAMPLES / "spoken-digits.yaml", *BRIEFLY, "--out", "run")
    assert len(list(Path("spoken-digits/cache").rglob("*.safetensors"))) >= 16
    sound = "spoken-digits/held-out/sounds/00000.wav"
    run("generate", "run", "-n", "1", "--condition", f"sound={sound}", "--out", "heard")
    run("generate", "run", "-n", "1", "--out", "unheard")
    assert Path("heard/00000.png").read_bytes() != Path("unheard/00000.png").read_bytes()

    Path(sound).write_bytes(b"no sound")
    result = CliRunner().invoke(
        polydiff, ["generate", "run", "-n", "1", "--condition", f"sound={sound}", "--out", "bad"]
    )
    assert "sounds/00000.wav is no sound" in str(result.exception)
