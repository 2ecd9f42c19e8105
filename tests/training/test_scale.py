"""Runs on several processes, whole and sharded, against the same run on one."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port
from safetensors.torch import load_file

from polydiff.cli.main import main
from polydiff.training import checkpoint

RANK = Path(__file__).with_name("toy_rank.py")
BIN = Path(sys.executable).parent

FIXED = ("train.optimizer={lr: 1e-3, warmup: 3, weight_decay: 0.1}", "train.preview.every=10")
BETA = 0.9
"""What AdamW keeps of the mean gradient."""


@pytest.fixture
def ranks(toy_recipe, tmp_path, monkeypatch):
    """Run the command on several processes of one machine, started as torchrun does; give their exit codes."""
    (tmp_path / "site" / RANK.name).write_bytes(RANK.read_bytes())
    monkeypatch.chdir(tmp_path)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["polydiff.cli.main", "polydiff.training.train"])

    def run(*args, count=2, **environment):
        from toy_rank import run

        port = str(find_free_network_port())
        common = {
            "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "GROUP_RANK": "0", "OMP_NUM_THREADS": "1",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "none", **environment,
        }  # fmt: skip
        processes = [
            context.Process(
                target=run,
                args=({**common, "RANK": str(i), "LOCAL_RANK": str(i)}, ["train", *args, "--accelerator", "cpu"]),
            )
            for i in range(count)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        return [process.exitcode for process in processes]

    yield run
    sys.modules.pop("toy_rank", None)


def one(*args):
    assert main(["train", *args, "--accelerator", "cpu"]) == 0


def losses_of(run, kind="train"):
    lines = map(json.loads, (Path(run) / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if line["kind"] == kind}


def stored(run, step):
    folder = checkpoint.path_of(Path(run) / "checkpoints", step)
    names = ("model", "ema", "optimizer")
    return {f"{name}/{key}": x for name in names for key, x in checkpoint.read_tensors(folder, name).items()}


def exported(run):
    return load_file(Path(run) / "model" / "weights.safetensors")


def assert_close(a, b, atol):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=atol, rtol=0, msg=lambda said, name=name: f"{name}: {said}")


def assert_same_runs(a, b, step, atol):
    assert_close(stored(a, step), stored(b, step), atol)
    assert_close(exported(a), exported(b), atol)
    for kind in ("train", "validation"):
        assert losses_of(a, kind) == pytest.approx(losses_of(b, kind), abs=atol) != {}
    counters = [checkpoint.read_state(checkpoint.path_of(Path(run) / "checkpoints", step)) for run in (a, b)]
    assert counters[0]["ema_updates"] == counters[1]["ema_updates"]
    assert counters[0]["progress"]["skipped"] == counters[1]["progress"]["skipped"]


def gradients(run):
    """Give the gradients of step 1, of which AdamW's first moment is a tenth."""
    stored = checkpoint.read_tensors(checkpoint.path_of(Path(run) / "checkpoints", 1), "optimizer")
    return {name: x / (1 - BETA) for name, x in stored.items() if name.endswith("/exp_avg")}


SHARDED = (
    *FIXED, "train.steps=20", "train.accumulate=2", "data.source={name: levels, bad: [4]}", "train.checkpoint.every=9"
)  # fmt: skip


def test_sharded_run_equals_the_unsharded_one_and_goes_on_from_anywhere(ranks, tmp_path):
    """Also where a step is not finite, and where one process's share of a parameter is nothing."""
    one("toy.yaml", *SHARDED, "--out", "one")
    fsdp = ("--strategy", "fsdp")
    assert ranks("toy.yaml", *SHARDED, *fsdp, "--out", "whole") == [0, 0]
    assert_same_runs("one", "whole", 20, 1e-5)
    assert checkpoint.read_state(Path("one/checkpoints/step-00000020"))["progress"]["skipped"] > 0
    pictures = [sorted(path.name for path in (tmp_path / run / "previews").iterdir()) for run in ("one", "whole")]
    assert pictures[0] == pictures[1]

    parts = "train.checkpoint.sharded=true"
    assert ranks("toy.yaml", *SHARDED, parts, *fsdp, "--out", "stopped", TOY_STOP_AT="13") == [130, 0]
    files = {path.name for path in Path("stopped/checkpoints/step-00000013").iterdir()}
    assert {"model-00001-of-00002.safetensors", "ema-00002-of-00002.safetensors"} < files
    assert "model.safetensors" not in files
    shutil.copytree("stopped", "to-one")
    assert ranks("stopped", "--resume", *fsdp) == [0, 0]
    assert_same_runs("stopped", "whole", 20, 0)
    one("to-one", "--resume")
    assert_same_runs("to-one", "whole", 20, 1e-5)
