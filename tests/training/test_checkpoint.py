"""Checkpoint folders: whole or not there, and never executed."""

import errno
import hashlib
import json
import os
import pickle  # noqa: TID251 (the attack)
from pathlib import Path

import pytest
import torch

from polydiff.errors import ModelError, PolydiffError
from polydiff.training import checkpoint

TENSORS = {"model": {"a": torch.arange(6.0).view(2, 3)}, "optimizer": {"a/step": torch.tensor(3.0)}}


@pytest.fixture
def saved(tmp_path):
    path = checkpoint.path_of(tmp_path, 10)
    checkpoint.write(path, TENSORS, {"progress": 1}, "steps: 1\n")
    return path


def everything(path, name):
    return dict(checkpoint.read_tensors(path, name))


def test_what_is_written_is_read(saved):
    assert saved.name == "step-00000010"
    assert checkpoint.read_state(saved)["progress"] == 1
    assert torch.equal(everything(saved, "model")["a"], TENSORS["model"]["a"])
    assert torch.equal(everything(saved, "optimizer")["a/step"], TENSORS["optimizer"]["a/step"])


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
@pytest.mark.parametrize("place", [0, -1])
def test_changed_byte_is_refused(saved, name, place):
    content = bytearray((saved / name).read_bytes())
    content[place] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name}: changed since it was written"):
        everything(saved, "model") if name.startswith("model") else checkpoint.read_state(saved)


class Canary:
    def __reduce__(self):
        return os._exit, (99,)


def test_pickle_in_place_of_weights_is_refused_and_not_executed(saved):
    payload = pickle.dumps(Canary())
    (saved / "model.safetensors").write_bytes(payload)
    with pytest.raises(ModelError, match="changed"):
        everything(saved, "model")
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["model.safetensors"] = hashlib.sha256(payload).hexdigest()
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="not a safetensors file"):
        everything(saved, "model")


@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json"])
def test_missing_file_is_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(ModelError, match=f"not a whole checkpoint, {name} is missing"):
        everything(saved, "model")


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_damaged_manifest_is_refused(saved, content):
    (saved / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json: not (a )?JSON"):
        checkpoint.read_state(saved)


def test_other_format_is_refused(tmp_path):
    path = checkpoint.path_of(tmp_path, 1)
    checkpoint.write(path, TENSORS, {"format": 2}, "")
    with pytest.raises(ModelError, match="its format is 2, this version reads 1"):
        checkpoint.read_state(path)


def fill_disk(monkeypatch, after):
    """Let the disk be full after some files have been synced."""
    real, synced = os.fsync, []

    def fsync(descriptor):
        synced.append(descriptor)
        if len(synced) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("after", range(6))
def test_full_disk_leaves_the_checkpoint_before_and_nothing_else(saved, tmp_path, monkeypatch, after):
    fill_disk(monkeypatch, after)
    with pytest.raises(PolydiffError, match=r"^cannot write .*: the disk is full$"):
        checkpoint.write(checkpoint.path_of(tmp_path, 20), TENSORS, {}, "")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000010"]
    assert checkpoint.read_state(saved)["progress"] == 1


def test_checkpoint_that_cannot_be_replaced_remains(saved, tmp_path, monkeypatch):
    rename = Path.rename

    def refuse(self, target):
        if self.suffix == ".part":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PolydiffError, match="cannot write"):
        checkpoint.write(saved, TENSORS, {"progress": 2}, "")
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000010"]
    assert checkpoint.read_state(saved)["progress"] == 1


def test_only_whole_checkpoints_are_listed_in_order(tmp_path):
    for step in (300, 5, 40):
        checkpoint.write(checkpoint.path_of(tmp_path, step), TENSORS, {}, "")
    (tmp_path / ".step-00000500.part").mkdir()
    (tmp_path / "step-best").mkdir()
    assert checkpoint.steps(tmp_path) == [5, 40, 300]


def test_pruning_keeps_the_newest_and_the_spared(tmp_path):
    for step in (1, 2, 3, 4, 5):
        checkpoint.write(checkpoint.path_of(tmp_path, step), TENSORS, {}, "")
    checkpoint.prune(tmp_path, 2, {1, -1})
    assert checkpoint.steps(tmp_path) == [1, 4, 5]


def test_full_disk_ends_a_run_with_its_last_checkpoint_whole(train_toy, monkeypatch):
    write = checkpoint.write

    def full_at_eight(path, *rest):
        if path.name == "step-00000008":
            fill_disk(monkeypatch, 1)
        write(path, *rest)

    monkeypatch.setattr(checkpoint, "write", full_at_eight)
    with pytest.raises(PolydiffError, match=r"^cannot write .*step-00000008.*: the disk is full$"):
        train_toy("run")
    monkeypatch.undo()
    run, outcome = train_toy("run", resume=True)
    assert outcome.reason == "finished"
    assert not list(Path(run.folder).rglob("*.part"))
