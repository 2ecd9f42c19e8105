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
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "none",
            "TOY_STOP_AT": "-1", **environment,
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


def test_sharded_matrices_move_by_muon_as_whole_ones_do(ranks):
    changes = (*FIXED, "train.steps=20", "backbone.repeated=2", "train.optimizer.muon=0.005")
    one("toy.yaml", *changes, "--out", "one")
    assert ranks("toy.yaml", *changes, "--strategy", "fsdp", "--out", "sharded") == [0, 0]
    assert_same_runs("one", "sharded", 20, 1e-5)


EQUAL = (
    *FIXED, "train.steps=50", "train.clip=null", "train.checkpoint={every: 1, keep: 50}", "train.validation.every=50"
)  # fmt: skip
BALANCED = (*EQUAL, "objective.balance=1")


def assert_equal_on_several(several):
    """Hold a run on two processes to one that takes the same two parts of each step one after the other."""
    one("toy.yaml", *BALANCED, "train.accumulate=2", "--out", "one")
    assert_close(gradients(several), gradients("one"), 1e-6)
    assert any(gradient.abs().max() > 1e-2 for gradient in gradients("one").values())
    assert losses_of(several) == pytest.approx(losses_of("one"), abs=1e-4)
    assert 50 in losses_of(several)
    balances = [checkpoint.read_state(Path(run) / "checkpoints/step-00000050")["balance"] for run in (several, "one")]
    assert balances[0]["samples"] == balances[1]["samples"]
    assert balances[0]["losses"] == pytest.approx(balances[1]["losses"], rel=1e-3)


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("fsdp", marks=pytest.mark.slow)])
def test_two_processes_have_the_gradients_and_losses_of_two_parts(ranks, strategy):
    assert ranks("toy.yaml", *BALANCED, "--strategy", strategy, "--out", "two") == [0, 0]
    assert_equal_on_several("two")


@pytest.mark.slow
def test_a_pair_has_on_two_processes_the_gradients_and_losses_of_one(ranks, pair_recipe):
    """Each content is told from all of the global batch, wherever it is."""
    equal = (*EQUAL, "contrastive.encoder.dropout=0.0", "train.optimizer={lr: 1e-3, warmup: 3, betas: [0.9, 0.99]}")
    one("pair.yaml", *equal, "--out", "one")
    assert ranks("pair.yaml", *equal, "--out", "two") == [0, 0]
    assert_close(gradients("two"), gradients("one"), 1e-5)
    assert any(gradient.abs().max() > 1e-2 for gradient in gradients("one").values())
    assert losses_of("two") == pytest.approx(losses_of("one"), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("starter", ["--devices", "--nodes", "torchrun"])
def test_whoever_starts_two_processes(ranks, tmp_path, starter):
    """As `--devices 2` and torchrun do on one machine, and as two machines are told of each other."""
    run = ("train", "toy.yaml", *BALANCED, "--accelerator", "cpu", "--out", "two")
    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_network_port())}
    commands = {
        "--devices": [([BIN / "polydiff", *run, "--devices", "2"], {})],
        "--nodes": [([BIN / "polydiff", *run, "--nodes", "2"], {**together, "NODE_RANK": str(i)}) for i in range(2)],
        "torchrun": [([BIN / "torchrun", "--standalone", "--nproc_per_node", "2", BIN / "polydiff", *run], {})],
    }[starter]
    always = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1"}
    processes = [subprocess.Popen(command, env={**always, **said}) for command, said in commands]
    assert [process.wait(timeout=300) for process in processes] == [0] * len(processes)
    assert_equal_on_several("two")


@pytest.mark.slow
def test_one_process_is_gone_on_from_sharded(ranks, monkeypatch):
    one("toy.yaml", *SHARDED, "--out", "whole")
    monkeypatch.setenv("TOY_STOP_AT", "9")
    assert main(["train", "toy.yaml", *SHARDED, "--out", "to-two", "--accelerator", "cpu"]) == 130
    assert ranks("to-two", "--resume", "--strategy", "fsdp") == [0, 0]
    assert_same_runs("to-two", "whole", 20, 1e-5)


def test_process_that_cannot_write_its_share_ends_the_run_and_leaves_the_checkpoint_before(ranks, tmp_path):
    """The disk of the second process alone is full."""
    parts = ("train.checkpoint={every: 4, sharded: true}", "train.steps=8")
    codes = ranks(
        "toy.yaml", *parts, "--strategy", "fsdp", "--out", "run", TOY_FULL="step-00000008 model-00002-of-00002"
    )
    assert codes == [1, 0]
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000004"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["auto", "ddp", "fsdp"])
def test_compiled_network_trains_alike_and_is_saved_under_its_own_names(ranks, strategy):
    one("toy.yaml", *FIXED, "--out", "plain")
    count = 1 if strategy == "auto" else 2
    assert (
        ranks("toy.yaml", *FIXED, "train.compile=true", "--strategy", strategy, "--out", "compiled", count=count)
        == [0] * count
    )
    assert_same_runs("compiled", "plain", 12, 1e-5)


def test_missing_compiler_is_told_by_one_line(toy_recipe, tmp_path, monkeypatch, capsys):
    def refuse(_):
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch, "compile", refuse)
    assert main(["train", "toy.yaml", "train.compile=true", "--accelerator", "cpu"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: train.compile: nothing can be compiled on this machine: InvalidCxxCompiler: No")
