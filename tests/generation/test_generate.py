import json
from dataclasses import replace

import pytest
import torch

from polydiff.errors import ModelError, PolydiffError, UsageError
from polydiff.files import sha256
from polydiff.generation.generate import generate
from polydiff.generation.request import Request


@pytest.fixture
def model(toy_model, tmp_path):
    toy_model("a", "b", "c").save(tmp_path / "model")
    return tmp_path / "model"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder, records):
    """Read the numbers back, from files that also hold their metadata."""
    return torch.tensor([json.loads((folder / record["file"]).read_text())["content"] for record in records])


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_and_what_is_said_of_them(model, tmp_path):
    out = tmp_path / "out"
    records = generate(model, Request(count=4, first=1, seed=9, conditions={"label": "all"}, guidance=3), out)
    assert names(out) == ["00001.txt", "00002.txt", "00003.txt", "00004.txt", "samples.jsonl", "sheet.png"]
    assert [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()] == records
    assert records[1] == {
        "file": "00002.txt",
        "index": 2,
        "seed": 9,
        "conditions": {"label": "c"},
        "sampler": {"name": "dpm++2m"},
        "steps": 4,
        "grid": {"name": "half-log-snr"},
        "guidance": [{"name": "cfg", "scale": 3.0, "interval": [0.0, 1.0], "rescale": 0.0}],
        "shape": [1, 4, 4],
        "exact": False,
        "model": sha256(model / "weights.safetensors"),
        "polydiff": records[0]["polydiff"],
    }
    metadata = json.loads((out / "00002.txt").read_text())["metadata"]
    assert metadata["seed"] == "9"
    assert json.loads(metadata["conditions"]) == {"label": "c"}
    shown, captions = json.loads((out / "sheet.png").read_text())
    assert captions == ["b", "c", "a", "b"]
    assert torch.equal(torch.tensor(shown), contents(out, records))


def test_the_samples_are_those_of_the_model(model, tmp_path):
    import polydiff

    records = generate(model, Request(count=5, seed=2, conditions={"label": "c,a"}), tmp_path / "out")
    expected = torch.tensor(polydiff.load(model).generate(5, seed=2, label="c,a"))
    torch.testing.assert_close(contents(tmp_path / "out", records), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_sample_does_not_depend_on_its_batch(model, tmp_path, batch):
    request = {"count": 20, "conditions": {"label": "all"}, "steps": 3}
    whole = contents(tmp_path / "a", generate(model, Request(**request, batch=20), tmp_path / "a"))
    other = contents(tmp_path / "b", generate(model, Request(**request, batch=batch), tmp_path / "b"))
    torch.testing.assert_close(other, whole, rtol=0, atol=1e-4)


def test_exact_files_do_not_depend_on_batch_or_processes(model, tmp_path):
    request = {"count": 40, "conditions": {"label": "all"}, "steps": 2, "exact": True}
    generate(model, Request(**request), tmp_path / "a", accelerator="cpu")
    generate(model, Request(**request, batch=7), tmp_path / "b", accelerator="cpu", devices=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_exact_samples_do_not_depend_on_the_set(model, tmp_path):
    request = {"conditions": {"label": "all"}, "steps": 2, "exact": True}
    generate(model, Request(**request, count=40), tmp_path / "whole")
    generate(model, Request(**request, count=9, first=12), tmp_path / "part")
    whole, part = files(tmp_path / "whole"), files(tmp_path / "part")
    assert {name: part[name] for name in part if name.endswith(".txt")} == {
        f"{i:05d}.txt": whole[f"{i:05d}.txt"] for i in range(12, 21)
    }


def test_exact_leaves_the_number_of_threads(model, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        generate(model, Request(count=1, exact=True, steps=1), tmp_path / "out")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_several_processes_write_the_samples_of_one(model, tmp_path):
    request = Request(count=6, conditions={"label": "all"}, steps=2, batch=2)
    one = contents(tmp_path / "one", generate(model, request, tmp_path / "one", accelerator="cpu"))
    two = contents(tmp_path / "two", generate(model, request, tmp_path / "two", accelerator="cpu", devices=2))
    torch.testing.assert_close(two, one, rtol=0, atol=1e-4)
    assert names(tmp_path / "one") == names(tmp_path / "two")
    assert (tmp_path / "one/samples.jsonl").read_text() == (tmp_path / "two/samples.jsonl").read_text()


def test_a_fault_in_a_process_ends_the_whole_with_its_message(model, tmp_path):
    request = Request(count=4, conditions={"label": "d"}, batch=1)
    with pytest.raises(UsageError, match="unknown class 'd'"):
        generate(model, request, tmp_path / "out", accelerator="cpu", devices=2)
    assert not (tmp_path / "out").exists()


def test_a_process_that_dies_ends_the_whole(model, tmp_path):
    module = tmp_path / "site" / "toy_modality.py"
    module.write_text(
        module.read_text().replace(
            "def text(", "def text(content, metadata):\n    import os\n    os._exit(9)\n\n\ndef _("
        )
    )
    with pytest.raises(PolydiffError, match="worker process died"):
        generate(model, Request(count=2, batch=1), tmp_path / "out", accelerator="cpu", devices=2)


def test_more_gpus_than_there_are(model, tmp_path):
    with pytest.raises(UsageError, match="CUDA devices asked for: 1000"):
        generate(model, Request(), tmp_path / "out", accelerator="cuda", devices=1000)


def test_a_trajectory_ends_at_its_sample(model, tmp_path):
    out = tmp_path / "out"
    records = generate(model, Request(count=3, first=15, steps=5, trajectory=True, exact=True), out)
    for record in records:
        stem = record["file"].removesuffix(".txt")
        assert record["trajectory"] == [f"{stem}-strip.png", f"{stem}.gif"]
        frames = torch.tensor(json.loads((out / f"{stem}-strip.png").read_text()))
        assert len(frames) == 5
        assert torch.equal(frames[-1], contents(out, [record])[0])


@pytest.mark.parametrize(("steps", "frames"), [(31, 31), (32, 32), (33, 32), (100, 32)])
def test_long_trajectories_are_thinned_out(model, tmp_path, steps, frames):
    generate(model, Request(count=1, steps=steps, trajectory=True), tmp_path / "out")
    strip = json.loads((tmp_path / "out/00000-strip.png").read_text())
    assert len(strip) == frames
    assert strip[-1] == json.loads((tmp_path / "out/00000.txt").read_text())["content"]


def test_size_and_file_kind(model, tmp_path):
    (record,) = generate(model, Request(count=1, size="6x2", file_kind="numbers"), tmp_path / "out")
    assert record["file"] == "00000.num"
    assert record["shape"] == [1, 6, 2]
    assert torch.tensor(json.loads((tmp_path / "out/00000.num").read_text())).shape == (6, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": "5x4"}, "6x4"),
        ({"file_kind": "txt"}, "did you mean 'text'"),
        ({"conditions": {"label": "d"}}, "unknown class 'd'"),
        ({"conditions": {"labels": "a"}}, "did you mean 'label'"),
        ({"guidance": 2.0}, "needs a condition"),
        ({"sampler": "dpm"}, "unknown sampler"),
    ],
)
def test_nothing_is_written_for_a_request_that_will_not_do(model, tmp_path, wrong, message):
    with pytest.raises(UsageError, match=message):
        generate(model, Request(count=2, **wrong), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_refused_model_leaves_nothing(tmp_path):
    with pytest.raises(ModelError):
        generate(tmp_path / "none", Request(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_was_made_before_an_interruption_is_recorded(model, tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(model, Request(count=4, batch=2), tmp_path / "out", on_batch=interrupt)
    assert names(tmp_path / "out") == ["00000.txt", "00001.txt", "samples.jsonl"]
    generate(model, Request(count=2, first=2), tmp_path / "out")
    assert len((tmp_path / "out/samples.jsonl").read_text().splitlines()) == 4


def test_an_interruption_of_several_processes_leaves_no_file_unrecorded(model, tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(model, Request(count=300, batch=1), tmp_path / "out", accelerator="cpu", devices=2, on_batch=interrupt)
    lines = (tmp_path / "out/samples.jsonl").read_text().splitlines()
    assert 0 < len(lines) < 300
    assert sorted(json.loads(line)["file"] for line in lines) == names(tmp_path / "out")[:-1]


def test_a_full_disk_leaves_whole_batches(model, tmp_path, monkeypatch):
    from polydiff import files

    def full(path, content, whole=files.write):
        if path.name == "00003.txt":
            raise PolydiffError("the disk is full")
        whole(path, content)

    monkeypatch.setattr(files, "write", full)
    with pytest.raises(PolydiffError, match="full"):
        generate(model, Request(count=4, batch=2), tmp_path / "out")
    assert names(tmp_path / "out") == ["00000.txt", "00001.txt", "samples.jsonl"]


def test_progress_adds_up(model, tmp_path):
    told = []
    generate(model, Request(count=20, first=10, exact=True, steps=1), tmp_path / "out", on_batch=told.append)
    assert told == [6, 14]


def test_what_a_file_cannot_hold_is_told_of_and_normalised_when_asked_for(model, tmp_path, toy):
    request = {"count": 6, "file_kind": "numbers", "steps": 2}
    records = generate(model, Request(**request), tmp_path / "as-is")
    for record in records:
        content = json.loads((tmp_path / "as-is" / record["file"]).read_text())
        assert record.get("lost") == toy.beyond_limit(content)
    assert 0 < sum("lost" in record for record in records) < 6
    for record in generate(model, Request(**request, normalize=True), tmp_path / "normalised"):
        content = json.loads((tmp_path / "normalised" / record["file"]).read_text())
        assert toy.largest(content) == pytest.approx(toy.LIMIT / 2)
        assert record["normalized"] is True
        assert "lost" not in record


def test_a_modality_without_a_level_refuses_to_normalise(model, tmp_path, monkeypatch):
    from polydiff.plugins.host import host

    spec = host().modality("toy")
    monkeypatch.setattr(host(), "modality", lambda name: replace(spec, normalize=""))
    with pytest.raises(UsageError, match="--normalize: modality 'toy' has no level"):
        generate(model, Request(count=1, normalize=True), tmp_path / "out")


def test_contents_are_cut_to_the_size_asked_for(model, tmp_path, toy, monkeypatch):
    monkeypatch.setattr(toy.Squares, "cut", lambda self, content, size: content[: int(size[0]) - 1])
    (record,) = generate(model, Request(count=1, size="4x6", trajectory=True, steps=2), tmp_path / "out")
    assert contents(tmp_path / "out", [record]).shape == (1, 3, 6)
    assert record["shape"] == [1, 4, 6]
    frames = json.loads((tmp_path / "out" / "00000-strip.png").read_text())
    assert torch.tensor(frames).shape == (2, 3, 6)
