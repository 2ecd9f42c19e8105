"""`polydiff distill`, as users run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from polydiff.cli.main import main

PROGRAM = Path(sys.executable).with_name("polydiff")
QUICK = ("--rung-steps", "4", "--samples", "8", "--limit", "1e9")


@pytest.fixture
def run(teacher, tmp_path, monkeypatch, capsys):
    """Run the program in this process, beside the teacher; give its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def run(*args):
        code = main([*map(str, args)])
        return code, *capsys.readouterr()

    return run


def test_a_model_becomes_one_of_few_steps_that_every_command_takes(run):
    code, out, err = run("distill", "teacher", "--steps", "2", *QUICK, "--out", "out")
    assert code == 0
    assert "model: out, 2 evaluations a sample, 6 times fewer" in err
    lines = out.splitlines()
    assert lines[0].split() == ["SAMPLER", "STEPS", "EVALUATIONS", "MS", "A", "SAMPLE", "MMD", "FROM", "TEACHER"]
    assert [line.split()[0] for line in lines[2:]] == ["teacher", "teacher", "01-8-to-4", "02-4-to-2"]
    assert lines[-1].endswith("kept")
    assert {path.name for path in Path("out").iterdir()} == {
        "model",
        "receipt.json",
        "receipt.png",
        "recipe.yaml",
        "rungs",
    }
    assert Path("out/receipt.png").read_bytes().startswith(b"\x89PNG")
    assert run("generate", "out", "-n", "2", "--label", "all", "--out", "samples")[0] == 0
    record = json.loads(Path("samples/samples.jsonl").read_text().splitlines()[0])
    assert (record["sampler"]["name"], record["steps"]) == ("ddim", 2)

    code, _, err = run("distill", "teacher", "--out", "out")
    assert (code, err) == (
        2,
        "error: out exists; polydiff distill out --resume goes on with it. Choose another --out for a new ladder\n",
    )
    code, out, _ = run("distill", "out", "--resume", "--json")
    assert code == 0
    assert json.loads(out)["kept"] == "02-4-to-2"
    assert "leave --steps away" in run("distill", "out", "--resume", "--steps", "1")[2]


def test_a_ladder_without_a_good_student_says_so_and_leaves_no_model(run):
    code, out, err = run("distill", "teacher", "--steps", "2", *QUICK[:-1], "1e-9", "--out", "out")
    assert code == 1
    assert "01-8-to-4 is more than 1e-09 times as far from real data as the teacher by mmd" in err
    assert "no student is good enough to be kept" in err
    assert out.splitlines()[-1].endswith("beyond 1e-09 times")
    assert not Path("out/model").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("teacher", "--guidance", "1:2:3"), "--guidance takes a scale, such as 1.5, or a range of it, such as 1:4"),
        (("teacher", "--from", "6"), "6 steps are not a multiple of 4; the nearest number that is is 8: --from 8"),
        (("teacher", "train.stps=4"), "train.stps"),
        (("teacher", "--out", "teacher"), "teacher exists; it is no ladder. Choose another --out for a new ladder"),
        (("teacher", "distill.method.pairs=data"), "distill.method.pairs=data: the ladder says that; options go with"),
        (("nowhere",), "no such model folder or run folder"),
        (("teacher", "--resume"), "teacher holds no ladder to go on with: there is no receipt.json in it"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run, args, message):
    code, _, err = run("distill", *args)
    assert code in {2, 3, 5}
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_two_processes_do_what_one_does(run, tmp_path):
    args = ("distill", "teacher", "--steps", "4", *QUICK, "--accelerator", "cpu", "--out")
    two = subprocess.run(
        [PROGRAM, *args, "two", "--devices", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("01-8-to-4") == 1
    assert run(*args, "one")[0] == 0
    ours, theirs = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("one", "two"))
    for name in ours:
        torch.testing.assert_close(theirs[name], ours[name], atol=2e-5, rtol=0)
