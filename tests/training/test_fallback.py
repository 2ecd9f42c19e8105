"""Damaged checkpoints: the one before is gone on from, with a warning."""

import shutil

import pytest
import torch

from polydiff.errors import ModelError, UsageError
from polydiff.training import checkpoint
from polydiff.training.fallback import newest_whole

TENSORS = {name: {"a": torch.arange(600.0)} for name in ("model", "ema", "optimizer")}
FILES = ["model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json", "recipe.yaml", "manifest.json"]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def remove(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


@pytest.fixture
def checkpoints(tmp_path):
    """Two checkpoints, of the steps 10 and 20."""
    for step in (10, 20):
        checkpoint.write(checkpoint.path_of(tmp_path / "checkpoints", step), TENSORS, {}, "steps: 1\n")
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("damage", [flip, truncate, remove, empty])
@pytest.mark.parametrize("name", FILES)
def test_damaged_newest_falls_back_and_says_which_and_why(checkpoints, caplog, damage, name):
    damage(checkpoints / "step-00000020" / name)
    assert newest_whole(checkpoints).name == "step-00000010"
    (line,) = (record.getMessage() for record in caplog.records)
    assert str(checkpoints / "step-00000020") in line
    assert name in line or name == "manifest.json"
    assert "missing" in line or "changed" in line or "not JSON" in line
    assert line.endswith("it is now damaged-step-00000020, and the run goes on from step-00000010")
    assert checkpoint.steps(checkpoints) == [10]
    assert (checkpoints / "damaged-step-00000020").is_dir()


def test_whole_newest_is_taken_without_a_word(checkpoints, caplog):
    assert newest_whole(checkpoints).name == "step-00000020"
    assert not caplog.records


def test_when_none_is_whole_each_is_named_and_nothing_is_touched(checkpoints):
    flip(checkpoints / "step-00000010" / "ema.safetensors")
    remove(checkpoints / "step-00000020" / "state.json")
    with pytest.raises(ModelError) as refused:
        newest_whole(checkpoints)
    assert refused.value.exit_code == 5
    assert "no checkpoint is whole" in str(refused.value)
    assert "state.json is missing" in str(refused.value)
    assert "ema.safetensors: changed since it was written" in str(refused.value)
    assert checkpoint.steps(checkpoints) == [10, 20]


def test_half_written_is_no_checkpoint(checkpoints):
    shutil.copytree(checkpoints / "step-00000010", checkpoints / ".step-00000030.part")
    assert newest_whole(checkpoints).name == "step-00000020"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["step-00000010", "step-00000020"]


@pytest.mark.parametrize("replaced", [True, False])
def test_killed_while_replacing_leaves_one_of_the_two(checkpoints, replaced):
    newest, old = checkpoints / "step-00000020", checkpoints / ".step-00000020.old"
    if replaced:
        shutil.copytree(newest, old)
    else:
        newest.rename(old)
    assert newest_whole(checkpoints) == newest
    assert sorted(path.name for path in checkpoints.iterdir()) == ["step-00000010", "step-00000020"]


def test_manifest_may_not_name_files_outside(checkpoints, caplog):
    (checkpoints / "secret").write_text("")
    path = checkpoints / "step-00000020" / "manifest.json"
    path.write_text(path.read_text().replace("ema.safetensors", "../secret"))
    assert newest_whole(checkpoints).name == "step-00000010"
    assert "names files outside" in caplog.text


def test_without_checkpoints_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint to resume from"):
        newest_whole(tmp_path / "checkpoints")


def test_run_that_falls_back_ends_as_if_it_had_never_stopped(train_toy, caplog):
    whole, _ = train_toy("whole")
    run, _ = train_toy("run", stop_at=9)
    flip(run.checkpoints / "step-00000009" / "optimizer.safetensors")
    train_toy("run", resume=True)
    assert "goes on from step-00000008" in caplog.text
    for name in ("model", "ema", "optimizer"):
        a, b = (checkpoint.read_tensors(each.checkpoints / "step-00000012", name) for each in (whole, run))
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_best_model_that_is_lost_is_said_and_judged_anew(train_toy, caplog):
    best = (
        "train.steps=20", "train.checkpoint={every: 4, keep: 1, best: true}", "train.ema.decay=0.0",
        "train.validation={every: 2, samples: 16, bands: 4}", "train.optimizer={lr: 1.0, warmup: 0, decay: constant}",
    )  # fmt: skip
    run, outcome = train_toy("run", *best)
    lost = outcome.progress.best_step
    assert lost < 20
    flip(checkpoint.path_of(run.checkpoints, lost) / "ema.safetensors")
    _, outcome = train_toy("run", *best, resume=True)
    assert "the best model so far is lost" in caplog.text
    assert outcome.progress.best_step == 20
