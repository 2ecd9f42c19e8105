"""Tensors of which each process has written some rows."""

import pytest
import torch

from polydiff.errors import ModelError
from polydiff.training import checkpoint
from polydiff.training.checkpoint import DamagedError

WHOLE = torch.arange(14.0).view(7, 2)
SHARES = [slice(0, 3), slice(3, 6), slice(6, 7), slice(7, 7)]


@pytest.fixture
def saved(tmp_path):
    """A checkpoint of four processes, of which the last has nothing and the first alone what is not divided."""
    path = checkpoint.path_of(tmp_path, 1)
    checkpoint.begin(path)
    digests = {}
    for i, rows in enumerate(SHARES):
        tensors = {"weight": WHOLE[rows], **({"step": torch.tensor(5.0)} if i == 0 else {})}
        digests |= checkpoint.put(path, {checkpoint.share_of("model", i, len(SHARES)): tensors})
    checkpoint.finish(path, digests, {}, "steps: 1\n")
    checkpoint.abandon(path)
    return path


@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("last", range(8))
def test_any_rows_are_read_whoever_has_written_them(saved, first, last):
    stored = checkpoint.read_tensors(saved, "model")
    rows = slice(first, max(first, last))
    assert torch.equal(stored.read("weight", rows), WHOLE[rows])


def test_everything_is_read_whole(saved):
    stored = checkpoint.read_tensors(saved, "model")
    assert {*stored} == {"weight", "step"}
    assert torch.equal(stored["weight"], WHOLE)
    assert stored["step"] == 5
    assert (stored.shape("weight"), stored.shape("step")) == ((7, 2), ())


def test_share_that_is_missing_or_changed_is_refused(saved):
    second = saved / "model-00002-of-00004.safetensors"
    content = second.read_bytes()
    second.write_bytes(content[:-1] + b"\xff")
    stored = checkpoint.read_tensors(saved, "model")
    assert torch.equal(stored.read("weight", SHARES[0]), WHOLE[SHARES[0]])
    with pytest.raises(DamagedError, match=r"model-00002-of-00004\.safetensors: changed since it was written"):
        stored.read("weight")
    with pytest.raises(DamagedError, match="changed"):
        checkpoint.verify(saved)
    second.unlink()
    with pytest.raises(DamagedError, match="not a whole checkpoint, model-00002"):
        checkpoint.read_tensors(saved, "model")
    second.write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="changed"):
        checkpoint.read_tensors(saved, "model")
