"""`polydiff train`, as users run it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from polydiff.cli.main import main

PROGRAM = Path(sys.executable).with_name("polydiff")


@pytest.fixture
def train(toy_recipe, tmp_path, monkeypatch, capsys):
    """Run the command in this process, in an empty folder; give its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        code = main(["train", *map(str, args)])
        return code, *capsys.readouterr()

    return run


def losses_of(folder):
    lines = map(json.loads, (Path(folder) / "metrics.jsonl").read_text().splitlines())
    return {(line["kind"], line["step"]): line["loss"] for line in lines}


def weights_of(folder):
    return load_file(Path(folder) / "model" / "weights.safetensors")


def test_run_goes_to_a_folder_named_after_the_recipe(train, toy_recipe):
    code, out, err = train("toy.yaml", "train.steps=4")
    assert code == 0
    assert "done after 4 steps" in out
    assert "model: runs/toy/model" in out
    assert "polydiff generate runs/toy -n 16 --label all --out runs/toy/samples" in out
    assert "step 4: validation loss" in err
    assert "model: runs/toy-2/model" in train("toy.yaml", "train.steps=4")[1]


def test_run_with_patience_tells_the_figures_of_the_model_that_it_keeps(train):
    validation = "train.validation={every: 2, samples: 16, bands: 4, patience: 3}"
    code, out, _ = train("toy.yaml", "train.steps=200", "train.optimizer.lr=0.3", validation, "--out", "mine")
    assert code == 0
    losses = {step: loss for (kind, step), loss in losses_of("mine").items() if kind == "validation"}
    best = min(losses, key=losses.get)
    assert best != max(losses)
    assert re.search(rf"validation loss {losses[best]:.4f} ± \S+ at step {best}, the best", out)


def test_run_resumed_for_fewer_steps_than_it_has_made_is_refused(train):
    train("toy.yaml", "train.steps=4", "--out", "mine")
    code, _, err = train("mine", "--resume", "train.steps=2")
    assert code == 2
    assert "mine is at step 4; train.steps cannot be 2" in err
    assert "steps: 4" in Path("mine/recipe.yaml").read_text()


def test_interrupted_run_says_how_to_go_on_and_does(train, monkeypatch):
    train("toy.yaml", "--out", "whole")
    monkeypatch.setenv("TOY_STOP_AT", "5")
    code, out, _ = train("toy.yaml", "--out", "mine")
    assert code == 130
    assert "stopped after 5 steps" in out
    assert "to go on: polydiff train mine --resume" in out
    monkeypatch.delenv("TOY_STOP_AT")
    assert train("mine", "--resume")[0] == 0
    whole, mine = weights_of("whole"), weights_of("mine")
    assert all(torch.equal(whole[name], mine[name]) for name in whole)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nothing"], 2, "nothing"),
        (["nothing.yaml"], 3, "nothing.yaml: there is no such recipe"),
        (["toy.yaml", "train.stepz=4"], 3, "did you mean 'steps'"),
        (["toy.yaml", "train.batch=9", "train.accumulate=2"], 3, "cannot be shared evenly"),
        (["toy.yaml", "codec.size=5"], 3, "each side must be even"),
        (["toy.yaml", "--precision", "16-mixed", "--accelerator", "cpu"], 2, "16-mixed needs a GPU"),
        (["toy.yaml", "train.validation.samples=7"], 3, "the least is 8"),
        (["toy.yaml", "--resume"], 2, "toy.yaml is no run folder"),
        (["full", "--resume", "--out", "other"], 2, "leave --out away"),
        (["toy.yaml", "--out", "full"], 2, "full exists; it is no run"),
        (["toy.yaml", "data.source={name: levels, count: 40, broken: [1]}", "data.on_error=stop"], 3, "item-1"),
    ],
)
def test_mistakes_are_answered_by_a_line_and_a_code(train, tmp_path, args, code, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("")
    found, out, err = train(*args)
    assert (found, out) == (code, "")
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in err


def test_existing_run_is_not_overwritten(train, tmp_path):
    train("toy.yaml", "train.steps=2", "--out", "mine")
    before = {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    for args in (["toy.yaml", "--out", "mine"], ["mine"]):
        code, _, err = train(*args)
        assert code == 2
        assert "polydiff train mine --resume" in err
    assert {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()} == before


def test_resumed_run_keeps_its_recipe(train):
    train("toy.yaml", "train.steps=2", "--out", "mine")
    code, _, err = train("mine", "--resume", "train.seed=1")
    assert code == 2
    assert "a resumed run keeps its recipe" in err
    assert "train.seed: 0 -> 1" in err
    assert train("mine", "--resume", "train.steps=4")[0] == 0
    assert ("validation", 4) in losses_of("mine")


def test_damaged_checkpoint_is_refused(train, tmp_path):
    train("toy.yaml", "train.steps=2", "--out", "mine")
    path = tmp_path / "mine" / "checkpoints" / "step-00000002" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    code, _, err = train("mine", "--resume", "train.steps=4")
    assert code == 5
    assert "model.safetensors: changed since it was written" in err


def test_dry_run_tells_and_writes_nothing(train, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = train("toy.yaml", "--dry-run")
    assert code == 0
    assert "30 to train on, 10 held out, 1x4x4 each" in out
    assert "parameters  249" in out
    assert "for 12 steps" in out
    assert sorted(tmp_path.rglob("*")) == before


def test_printed_recipe_makes_the_same_run(train, tmp_path):
    code, out, _ = train("toy.yaml", "train.steps=3", "--print-recipe")
    assert code == 0
    assert 'classes: ["0", "1"]' in out
    (tmp_path / "printed.yaml").write_text(out)
    train("toy.yaml", "train.steps=3", "--out", "a")
    train("printed.yaml", "--out", "b")
    assert losses_of("a") == losses_of("b")
    assert (tmp_path / "a" / "recipe.yaml").read_text() == out


def spawn(tmp_path, *args, **environment):
    return subprocess.run(
        [PROGRAM, "train", *args, "--accelerator", "cpu", "--devices", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_two_processes_do_what_one_does_and_resume_bit_for_bit(train, tmp_path):
    broken = "data.source={name: levels, broken: [3]}"
    done = spawn(tmp_path, "toy.yaml", broken, "--out", "two")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done after 12 steps") == 1
    assert "left out: item-3: cannot be read" in done.stderr

    train("toy.yaml", broken, "--out", "one", "--accelerator", "cpu")
    assert losses_of("two") == pytest.approx(losses_of("one"), abs=1e-5)
    one, two = weights_of("one"), weights_of("two")
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=2e-5, rtol=0)

    stopped = spawn(tmp_path, "toy.yaml", broken, "--out", "stopped", TOY_STOP_AT="5")
    assert stopped.returncode == 130, stopped.stderr
    shutil.copytree(tmp_path / "stopped", tmp_path / "to-one")
    assert spawn(tmp_path, "stopped", "--resume").returncode == 0
    resumed = weights_of("stopped")
    assert all(torch.equal(two[name], resumed[name]) for name in two)
    assert losses_of("two") == losses_of("stopped")

    assert train("to-one", "--resume", "--accelerator", "cpu")[0] == 0
    assert losses_of("to-one") == pytest.approx(losses_of("two"), abs=1e-5)
    resumed = weights_of("to-one")
    for name in two:
        torch.testing.assert_close(resumed[name], two[name], atol=2e-5, rtol=0)
    for part in ("model", "ema", "optimizer"):
        two, resumed = (load_file(f"{run}/checkpoints/step-00000012/{part}.safetensors") for run in ("two", "stopped"))
        assert two.keys() == resumed.keys() != set()
        assert all(torch.equal(two[name], resumed[name]) for name in two)


@pytest.mark.slow
def test_one_process_is_gone_on_from_by_two(train, tmp_path, monkeypatch):
    train("toy.yaml", "--out", "whole", "--accelerator", "cpu")
    monkeypatch.setenv("TOY_STOP_AT", "5")
    train("toy.yaml", "--out", "to-two", "--accelerator", "cpu")
    monkeypatch.delenv("TOY_STOP_AT")
    assert spawn(tmp_path, "to-two", "--resume").returncode == 0
    assert losses_of("to-two") == pytest.approx(losses_of("whole"), abs=1e-5)
    whole, resumed = weights_of("whole"), weights_of("to-two")
    for name in whole:
        torch.testing.assert_close(resumed[name], whole[name], atol=2e-5, rtol=0)


def test_mistake_of_one_process_ends_all_with_one_line(toy_recipe, tmp_path):
    """Position 1 of the run is read by the second process alone."""
    done = spawn(tmp_path, "toy.yaml", "data.on_error=stop", "data.source={name: levels, broken: [0, 2, 4, 6, 8, 10]}")
    assert done.returncode == 3
    assert done.stderr.count("error:") == 1
    assert "cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
