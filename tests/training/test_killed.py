"""Processes that are killed at any moment, and what is left of their runs."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from polydiff.cli.main import main

PROGRAM = Path(sys.executable).with_name("polydiff")

OFTEN = ("train.checkpoint.every=1", "train.validation.every=7", "train.preview.every=1000", "data.workers=0")


@pytest.fixture
def sitting(toy_recipe, tmp_path, monkeypatch):
    """Start the command in a process of its own, which is forked where PyTorch is already imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["polydiff.cli.main", "polydiff.training.train"])

    def start(*args):
        process = context.Process(target=main, args=(["train", *args, "--accelerator", "cpu"],))
        process.start()
        return process

    return start


def written(folder):
    """Give the step of the newest checkpoint, and the files of one that is on its way."""
    checkpoints = Path(folder) / "checkpoints"
    while True:
        newest = max((int(path.name[5:]) for path in checkpoints.glob("step-*")), default=0)
        try:
            return newest, [path.name for path in checkpoints.glob(".step-*/*")]
        except FileNotFoundError:  # it was renamed while it was looked at
            continue


def wait_for(condition, process, seconds=60.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "nothing happened"
        assert process.is_alive() if hasattr(process, "is_alive") else process.poll() is None, "it has ended"
        time.sleep(0.0005)


def assert_same_runs(a, b, step):
    for name in ("model", "ema", "optimizer"):
        x, y = (load_file(Path(run) / "checkpoints" / f"step-{step:08d}" / f"{name}.safetensors") for run in (a, b))
        assert x.keys() == y.keys()
        assert all(torch.equal(x[key], y[key]) for key in x), name
    x, y = (load_file(Path(run) / "model" / "weights.safetensors") for run in (a, b))
    assert all(torch.equal(x[key], y[key]) for key in x)
    for kind in ("train", "validation"):
        assert losses_of(a, kind) == losses_of(b, kind)


def losses_of(run, kind):
    """Give the losses by step; what stands twice is equal."""
    lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
    told = {(line["step"], line["loss"]) for line in lines if line["kind"] == kind}
    assert len(told) == len(dict(told))
    return told


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.slow)])
def test_run_killed_at_random_moments_ends_as_if_it_had_never_stopped(sitting, kills):
    """Every other moment lies in the writing of a checkpoint."""
    steps, rng, saving = 5 * kills + 5, random.Random(kills), 0
    whole = sitting("toy.yaml", "--out", "whole", f"train.steps={steps}", *OFTEN)
    whole.join()
    for kill in range(kills):
        first = ("toy.yaml", "--out", "killed", f"train.steps={steps}", *OFTEN)
        process = sitting(*(("killed", "--resume") if Path("killed/checkpoints").exists() else first))
        before, made = written("killed")[0], rng.randint(1, 4)
        wait_for(lambda: written("killed")[0] >= before + made, process)  # noqa: B023 (called at once)
        if kill % 2:
            wait_for(lambda: written("killed")[1], process)
        else:
            time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        saving += bool(written("killed")[1])
    assert saving, "no moment lay in the writing of a checkpoint"
    sitting("killed", "--resume").join()
    assert_same_runs("whole", "killed", steps)
    assert not list(Path("killed").rglob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_group_that_is_told_to_end_writes_a_checkpoint_and_goes_on_bit_for_bit(
    toy_recipe, tmp_path, monkeypatch, number
):
    """Ctrl-C in a terminal and SIGTERM of a batch system reach the processes that read ahead, too."""
    monkeypatch.chdir(tmp_path)
    reading = [*OFTEN, "data.workers=2", "train.checkpoint.every=1000"]
    main(["train", "toy.yaml", "--accelerator", "cpu", "--out", "whole", "train.steps=60", *reading])
    process = spawn(tmp_path, "toy.yaml", "--out", "stopped", "train.steps=60", *reading, start_new_session=True)
    wait_for(lambda: Path("stopped/metrics.jsonl").exists(), process)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("error")) == (130, 0), err
    assert "to go on: polydiff train stopped --resume" in out
    main(["train", "stopped", "--resume", "--accelerator", "cpu"])
    assert_same_runs("whole", "stopped", 60)


def spawn(folder, *args, **options):
    return subprocess.Popen(
        [PROGRAM, "train", *args, "--accelerator", "cpu"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process):
    process.communicate(timeout=120)
    return process.returncode


def children_of(process):
    return list(map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()))


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_process_that_is_killed_ends_the_run_everywhere_with_a_line(toy_recipe, tmp_path, monkeypatch, rank):
    monkeypatch.chdir(tmp_path)
    process = spawn(tmp_path, "toy.yaml", "--out", "run", "train.steps=1000000", "--devices", "2")
    wait_for(lambda: written("run")[0], process)
    (child,) = children_of(process)
    os.kill([process.pid, child][rank], signal.SIGKILL)
    _, err = process.communicate(timeout=30)  # ends when both have closed it
    wait_for_end = time.monotonic() + 30
    while not gone(child):
        assert time.monotonic() < wait_for_end
        time.sleep(0.05)
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, err
    assert ("lost touch" if rank == 0 else "process 1 was killed by SIGKILL") in errors[0]
    assert process.returncode == (-signal.SIGKILL if rank == 0 else 1)


@pytest.mark.slow
def test_two_processes_killed_at_random_moments_end_as_if_they_had_never_stopped(toy_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    devices, rng, steps = ("--devices", "2"), random.Random(0), 60
    recipe = ("toy.yaml", f"train.steps={steps}", *OFTEN, *devices)
    assert ended(spawn(tmp_path, *recipe, "--out", "whole")) == 0
    for kill in range(5):
        process = spawn(tmp_path, *(("killed", "--resume", *devices) if kill else (*recipe, "--out", "killed")))
        before, made = written("killed")[0], rng.randint(1, 8)
        wait_for(lambda: written("killed")[0] >= before + made, process)  # noqa: B023 (called at once)
        time.sleep(rng.uniform(0, 0.05))
        (child,) = children_of(process)
        os.kill(rng.choice([process.pid, child]), signal.SIGKILL)
        assert ended(process) != 0
        assert gone(child)
    assert ended(spawn(tmp_path, "killed", "--resume", *devices)) == 0
    assert_same_runs("whole", "killed", steps)


@pytest.mark.slow
def test_process_whose_starter_is_gone_before_they_have_met_ends(toy_recipe, tmp_path):
    process = spawn(tmp_path, "toy.yaml", "--out", "run", "--devices", "2")
    wait_for(lambda: children_of(process), process)
    process.kill()
    _, err = process.communicate(timeout=120)  # ends when the other has closed it, too
    assert "the process that started this one is gone" in err
