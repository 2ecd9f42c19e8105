"""Full disks, damaged models and broken plugins: what is said, the exit code, and that nothing is half-written."""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import sys

import pytest
import torch


@pytest.fixture
def full_disk(monkeypatch):
    """Let no file be synced whose path has the given part."""
    sync = os.fsync

    def fill(part):
        def refuse(descriptor):
            if part in os.readlink(f"/proc/self/fd/{descriptor}"):  # noqa: PTH115
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", refuse)

    return fill


def leftovers(names):
    return [name for name in names if ".part" in name]


@pytest.mark.parametrize("file", ["recipe.yaml", "environment.json"])
def test_a_run_that_cannot_be_begun_leaves_no_folder(polydiff, place, full_disk, file):
    full_disk(file)
    said = polydiff("train", "digits", small=True)
    assert said.code == 1
    assert said.err == f"error: cannot write runs/digits/{file}: the disk is full\n"
    assert not (place / "runs/digits").exists()


@pytest.mark.parametrize("file", ["ema.safetensors", "state.json", "manifest.json"])
def test_a_checkpoint_is_whole_or_not_there(polydiff, place, full_disk, tree, file):
    run = ["train", "digits", "train.checkpoint.every=1", "--out", "run"]
    full_disk(f"step-00000002.part/.{file}")
    said = polydiff(*run, small=True)
    assert said.code == 1
    assert "the disk is full" in said.err
    assert [path.name for path in (place / "run/checkpoints").iterdir()] == ["step-00000001"]
    assert not (place / "run/model").exists()
    assert not leftovers(tree(place))


def test_a_run_goes_on_once_there_is_room(polydiff, place, full_disk, tree):
    full_disk("run/.model.")
    said = polydiff("train", "digits", "--out", "run", small=True)
    assert said.code == 1
    assert said.err.endswith(f"error: cannot write {place / 'run/model'}: the disk is full\n")
    assert not (place / "run/model").exists()
    assert not leftovers(tree(place))
    full_disk("nothing any more")
    assert polydiff("train", "run", "--resume", "--accelerator=cpu").code == 0
    assert polydiff("generate", "run", "-n", "1", "--out", "out").code == 0


def test_a_batch_of_samples_is_written_whole_or_not_at_all(polydiff, place, digits_model, full_disk, tree):
    full_disk("00003.png")
    said = polydiff("generate", digits_model, "-n", "6", "--batch", "2", "--out", "out")
    assert said.code == 1
    assert said.err.endswith("error: cannot write out/00003.png: the disk is full\n")
    assert sorted(tree(place / "out")) == ["00000.png", "00001.png", "samples.jsonl"]
    told = [json.loads(line)["file"] for line in (place / "out/samples.jsonl").read_text().splitlines()]
    assert told == ["00000.png", "00001.png"]


def test_samples_that_cannot_be_told_of_are_not_left_behind(polydiff, place, digits_model, full_disk, tree):
    command = ["generate", digits_model, "-n", "2", "--out", "out"]
    full_disk("samples.jsonl")
    said = polydiff(*command)
    assert said.code == 1
    assert said.err.endswith("error: cannot write out/samples.jsonl: the disk is full\n")
    assert tree(place / "out") == {}
    full_disk("nothing any more")
    assert polydiff(*command).code == 0
    before = tree(place / "out")
    full_disk("samples.jsonl")
    assert polydiff(*command, "--first", "2").code == 1
    assert tree(place / "out") == before


def test_a_full_disk_behind_stdout_is_told_as_that(polydiff, monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stdout", Full())
    said = polydiff("presets")
    assert (said.code, said.err.splitlines()[0]) == (1, "error: the disk is full")


@pytest.mark.parametrize("file", ["weights.safetensors", "model.yaml"])
def test_a_changed_byte_is_refused(polydiff, place, model, file):
    content = bytearray((model / file).read_bytes())
    content[len(content) // 2] ^= 1
    (model / file).write_bytes(content)
    said = polydiff("generate", model, "--out", "out")
    assert said.code == 5
    assert said.err.startswith(f"error: {model / file} is not the file that was saved")
    assert list(place.iterdir()) == []


def sign(model):
    """Make a model's checksums those of its files, as someone would who means harm."""
    from polydiff.files import sha256

    manifest = json.loads((model / "manifest.json").read_text())
    manifest["sha256"] = {name: sha256(model / name) for name in manifest["sha256"]}
    (model / "manifest.json").write_text(json.dumps(manifest))


class Canary:
    """Unpickling this writes a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("file", ["weights.safetensors", "model.yaml", "manifest.json"])
def test_a_pickle_is_never_executed(polydiff, place, model, tmp_path, file):
    canary = tmp_path / "canary"
    torch.save(Canary(canary), model / file)
    if file != "manifest.json":
        sign(model)
    said = polydiff("generate", model, "--out", "out")
    assert said.code == 5
    assert str(model / file) in said.err
    assert not canary.exists()
    assert list(place.iterdir()) == []
    torch.load((model / file).rename(tmp_path / "unpickled.pt"), weights_only=False)
    assert canary.exists(), "this canary cannot sing"


def test_a_checkpoint_with_a_changed_byte_is_refused(polydiff, place, tree):
    assert polydiff("train", "digits", "--out", "run", small=True).code == 0
    file = place / "run/checkpoints/step-00000002/ema.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    before = tree(place)
    said = polydiff("train", "run", "--resume", "train.steps=3", "--accelerator=cpu")
    assert said.code == 5
    assert "no checkpoint is whole: run/checkpoints/step-00000002/ema.safetensors: changed since" in said.err
    assert tree(place) == before


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a plugin of one module beside those that are there."""
    from polydiff.plugins.host import host

    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def plugin(name, source):
        record = site / f"polydiff_{name}-1.0.dist-info"
        record.mkdir()
        (site / f"module_{name}.py").write_text(source)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: polydiff-{name}\nVersion: 1.0\n")
        (record / "entry_points.txt").write_text(f"[polydiff]\n{name} = module_{name}\n")
        importlib.invalidate_caches()
        host.cache_clear()

    yield plugin
    host.cache_clear()
    for name in [name for name in sys.modules if name.startswith("module_")]:
        del sys.modules[name]


CLASHING = """
import polydiff
from polydiff.plugins.specs import SamplerSpec

@polydiff.hookimpl
def polydiff_samplers():
    return [SamplerSpec("twice", "module_one:Sampler")]
"""


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import no_such_module_anywhere", "cannot be imported: ModuleNotFoundError"),
        (
            "import polydiff\n\n@polydiff.hookimpl\ndef polydiff_sampler():\n    return []",
            "did you mean 'polydiff_samplers'?",
        ),
        ("POLYDIFF_API = 99", "written for plugin API 99; this is 1"),
    ],
)
def test_a_broken_plugin_stands_in_nobodys_way(polydiff, place, install, source, why):
    install("broken", source)
    said = polydiff("plugins")
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if "broken" in line]
    assert why in line
    assert polydiff("train", "digits", "--print-recipe").code == 0
    said = polydiff("train", "digits", "sample.sampler=mine")
    assert said.code == 3
    assert "plugin 'broken' (polydiff-broken 1.0) is broken; see `polydiff plugins`" in said.err
    assert list(place.iterdir()) == []


def test_two_plugins_with_one_name_are_both_named(polydiff, place, install, digits_model):
    install("one", CLASHING)
    install("two", CLASHING)
    for args in (
        ["generate", digits_model, "--sampler", "twice", "--out", "out"],
        ["train", "digits", "sample.sampler=twice"],
    ):
        said = polydiff(*args)
        assert said.code == 4
        assert "plugin 'one' (polydiff-one 1.0)" in said.err
        assert "plugin 'two' (polydiff-two 1.0)" in said.err
    assert list(place.iterdir()) == []
    assert polydiff("generate", digits_model, "-n", "1", "--sampler", "ddim", "--out", "out").code == 0
