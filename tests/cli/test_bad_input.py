"""Recipes, data and commands that cannot be: what is said, with which exit code, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = [sys.executable, "-c", "import sys; from polydiff.cli.main import main; sys.exit(main())"]

RECIPE = """\
modality: image
codec: {name: pixels, size: 8, channels: 1}
backbone: {name: unet2d, channels: 8, multipliers: [1, 2], blocks: 1, attention: []}
data:
  source: digits
train:
  steps: 2
  batch: 4
"""


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("  steps: 2", "  stesp: 2", "my.yaml:7: train.stesp", "unknown key; did you mean 'steps'?"),
        ("size: 8", "sise: 8", "my.yaml:2: codec.sise", "did you mean 'size'?"),
        ("  batch: 4", "  batch: four", "my.yaml:8: train.batch", "must be a whole number, not the text 'four'"),
        ("channels: 8", "channels: wide", "my.yaml:3: backbone.channels", "must be a whole number"),
        ("size: 8,", "size: 9,", "my.yaml:2: codec", "9 x 9 is not a multiple of 2"),
        ("source: digits", "source: digit", "my.yaml:5: data.source", "did you mean 'digits'?"),
        ("train:", "train: [", "my.yaml:8", "not YAML"),
        ("train:", "\ttrain:", "my.yaml:6", "not YAML"),
    ],
)
def test_a_recipe_at_fault_is_told_with_its_line(polydiff, place, old, new, where, what):
    (place / "my.yaml").write_text(RECIPE.replace(old, new))
    said = polydiff("train", "my.yaml")
    assert said.code == 3
    assert said.err.startswith(f"error: {where}")
    assert what in said.err
    assert [path.name for path in place.iterdir()] == ["my.yaml"]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["trian"], 2, "unknown command 'trian'; did you mean 'train'?"),
        (["train"], 2, "Missing argument 'RECIPE'"),
        (["train", "digist"], 2, "unknown preset 'digist'; did you mean 'digits'?"),
        (["train", "nosuch.yaml"], 3, "nosuch.yaml: there is no such recipe"),
        (["train", "digits", "foo"], 2, "write KEY=VALUE"),
        (["train", "digits", "train.steps=abc"], 3, "train.steps: must be a whole number, not the text 'abc'"),
        (["train", "digits", "train.steps="], 3, "train.steps: must be a whole number, not null"),
        (["train", "digits", "train.seed=-1"], 3, "must be at least 0"),
        (["train", "digits", "train.optimizer.lr=.nan"], 3, "not a number"),
        (["train", "digits", "codec.size=9"], 3, "nearest: 8 x 8 or 10 x 10"),
        (["train", "digits", "sample.sampler=ddppm"], 3, "did you mean 'ddpm'?"),
        (["train", "digits", "--devices", "0"], 2, "0 is not in the range"),
        (["train", "folder-64"], 3, "data.source.path: missing"),
        (["train", "folder-64", "data.source.path=nosuch"], 3, "nosuch: there is no such folder"),
        (["train", "nosuch", "--resume"], 2, "nosuch is no run folder"),
        (["train", "digits", "--resume", "--out", "there"], 2, "leave --out away"),
        (["generate", "nosuch", "--out", "there"], 5, "nosuch: no such model folder or run folder"),
        (["generate", ".", "--out", "there"], 5, "holds no model"),
        (["presets", "digist"], 2, "did you mean 'digits'?"),
    ],
)
def test_a_command_that_cannot_be_writes_nothing(polydiff, place, args, code, message):
    said = polydiff(*args)
    assert (said.code, said.out) == (code, "")
    assert message in said.err
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-n", "0"], "0 is not in the range"),
        (["--steps", "0"], "0 is not in the range"),
        (["--devices", "0"], "0 is not in the range"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--guidance", "nan", "--label", "1"], "the guidance scale is nan; it must be finite"),
        (["--guidance", "inf", "--label", "1"], "the guidance scale is inf"),
        (["--sampler", "ddppm"], "unknown sampler 'ddppm'; did you mean 'ddpm'?"),
        (["--label", "12"], "unknown class '12'; there is 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (["--format", "bmp"], "unknown image file kind 'bmp'; there is "),
        (["--duration", "nan"], "nan is not a finite number"),
        (["--duration", "-1"], "-1.0 is not in the range x>0"),
        (["--grid", "karas"], "error: unknown time grid 'karas'; did you mean 'karras'?"),
        (["--sampler", "{name: ddim"], "--sampler: not YAML"),
        (["-n", "few"], "'few' is not a valid whole number"),
        (["--size", "abc"], "'abc' is no picture size; say 96"),
        (["--size", "0"], "'0' is no picture size"),
        (["--size", "9x10"], "9 x 10 is not a multiple of 2, the network's factor; nearest: 8 x 10 or 10 x 10"),
    ],
)
def test_a_request_that_cannot_be_met_writes_nothing(polydiff, digits_model, place, args, message):
    said = polydiff("generate", digits_model, "-n", "2", "--out", "out", *args)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert list(place.iterdir()) == []


def test_more_than_the_memory_is_told_as_that(polydiff, digits_model, place):
    said = polydiff("generate", digits_model, "-n", "1", "--size", "4000000", "--out", "out")
    assert said.code == 1
    assert "out of memory" in said.err
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("out", ["file", "file/out"])
def test_samples_do_not_go_into_a_file(polydiff, digits_model, place, out):
    (place / "file").write_text("mine")
    said = polydiff("generate", digits_model, "--out", out)
    assert (said.code, said.err) == (2, f"error: {place / 'file'} is a file: choose another --out\n")
    assert (place / "file").read_text() == "mine"


def test_a_folder_that_may_not_be_written_to_is_refused_before_any_work(polydiff, digits_model, place, monkeypatch):
    from polydiff.generation import worker

    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    monkeypatch.setattr(worker, "load", lambda path: pytest.fail("the model is loaded"))
    said = polydiff("generate", digits_model, "--out", "deep/out")
    assert (said.code, said.err) == (1, f"error: cannot write {place / 'deep/out'}: Permission denied\n")


def test_a_folder_of_data_is_no_recipe(polydiff, place, pictures):
    folder = pictures("a/1.png")
    said = polydiff("train", folder)
    assert said.code == 2
    assert f"{folder} is a folder and no run" in said.err
    assert f"data.source.path={folder}" in said.err


def test_runs_are_not_mixed_up(polydiff, place, tree):
    assert polydiff("train", "digits", "--out", "run", small=True).code == 0
    before = tree(place)
    for args, message in (
        (["digits", "--out", "run"], "polydiff train run --resume goes on with it"),
        (["run"], "to go on with it: polydiff train run --resume"),
        (["digits", "--out", "run/model"], "it is no run. Choose another --out"),
    ):
        said = polydiff("train", *args)
        assert said.code == 2
        assert message in said.err
    assert tree(place) == before
    assert polydiff("generate", "run", "-n", "1", "--out", "run/model/sample").code == 0
    (place / "run/checkpoints/step-00000002").rename(place / "away")
    said = polydiff("train", "run", "--resume")
    assert said.code == 2
    assert "no checkpoint" in said.err
    assert "stopped before its first checkpoint" in polydiff("train", "digits", "--out", "run").err


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "there is no file to read in it; looked for .gif, .jpeg"),
        (
            ["flat.png", "other.png"],
            "conditions.label: no example has the fact 'label' or any other; 'conditions={}' trains without",
        ),
        (["a/only.png"], "1 items, 1 held out: none is left to train on; set data.holdout=0"),
    ],
)
def test_folders_without_what_training_takes(polydiff, place, pictures, names, message):
    folder = pictures(*names)
    folder.mkdir(exist_ok=True)
    said = polydiff("train", "folder-64", f"data.source.path={folder}", small=True)
    assert said.code == 3
    assert message in said.err
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("[cat, dog, cats]", "no example has the label 'cats', which classes lists; did you mean 'cat'?"),
        ("[cat, dogs]", "no example has the label 'dogs', which classes lists; did you mean 'dog'?"),
        ("[cat]", "the data has the label 'dog', which classes does not list"),
    ],
)
def test_a_label_without_pictures(polydiff, place, pictures, classes, message):
    folder = pictures("cat/1.png", "dog/1.png")
    recipe = ["folder-64", f"data.source.path={folder}", f"conditions.label.classes={classes}"]
    said = polydiff("train", *recipe, small=True)
    assert said.code == 3
    assert f"conditions.label: {message}" in said.err
    assert list(place.iterdir()) == []


def test_a_condition_that_the_data_do_not_know(polydiff, place, pictures):
    folder = pictures("cat/1.png", "dog/1.png")
    recipe = ["folder-64", f"data.source.path={folder}", "conditions.lable.name=class"]
    said = polydiff("train", *recipe, small=True)
    assert said.code == 3
    assert "conditions.lable: no example has the fact 'lable'; did you mean 'label'?" in said.err


@pytest.fixture
def mixed(pictures):
    """Good pictures; among them a JPEG cut in its middle, a text called .png and a label without pictures."""
    folder = pictures(*(f"cat/{i}.png" for i in range(4)), *(f"dog/{i}.jpg" for i in range(4)))
    jpeg = folder / "dog/1.jpg"
    jpeg.write_bytes(jpeg.read_bytes()[: 3 * jpeg.stat().st_size // 4])
    (folder / "cat/text.png").write_text("no picture")
    (folder / "bird").mkdir()
    return folder


def test_unreadable_pictures_are_named_and_training_goes_on(polydiff, place, mixed, caplog):
    said = polydiff("train", "folder-64", f"data.source.path={mixed}", "data.holdout=0", small=True)
    assert said.code == 0
    told = said.err + caplog.text
    assert told.count("cat/text.png: is no picture in a format that is read") == 1
    assert told.count("dog/1.jpg: ") == 1
    assert "bird: holds no file" in told
    assert (place / "runs/folder-64/model/manifest.json").is_file()


@pytest.mark.parametrize("bad", ["cat/text.png", "dog/1.jpg", "bird"])
def test_on_error_stop_stops_at_an_unreadable_picture(polydiff, place, mixed, bad):
    import shutil

    for other in {"cat/text.png", "dog/1.jpg"} - {bad}:
        (mixed / other).unlink()
    if bad != "bird":
        shutil.rmtree(mixed / "bird")
    recipe = ["folder-64", f"data.source.path={mixed}", "data.on_error=stop", "data.holdout=0"]
    said = polydiff("train", *recipe, small=True)
    assert said.code == 3
    assert f"error: {bad}: " in said.err
    assert not (place / "runs/folder-64/model").exists()


def test_few_grey_transparent_and_oddly_named_pictures_will_do(polydiff, place, pictures):
    pictures("grey/1.png", mode="L")
    folder = pictures("clear/1.png", mode="RGBA")
    os.rename(os.fsencode(folder / "grey/1.png"), os.fsencode(folder / "grey") + b"/\xff.png")  # noqa: PTH104
    (folder / "grey").rename(os.fsdecode(os.fsencode(folder) + b"/gr\xe9y"))
    said = polydiff("train", "folder-64", f"data.source.path={folder}", small=True)
    assert said.code == 0
    assert polydiff("generate", "runs/folder-64", "-n", "2", "--label", "all", "--out", "out").code == 0


def test_plugins_that_are_switched_off_are_named(place, digits_model):
    env = {**os.environ, "POLYDIFF_PLUGINS_OFF": "image"}
    for args in (["train", "digits"], ["generate", str(digits_model), "--out", "out"]):
        run = subprocess.run([*PROGRAM, *args], env=env, capture_output=True, text=True, check=False)
        assert run.returncode == 4
        assert "plugin 'image'" in run.stderr
        assert "block" in run.stderr
        assert len(run.stderr.splitlines()) <= 2
    assert list(place.iterdir()) == []


def test_a_reader_or_a_stream_that_is_gone_is_no_error(place):
    code = PROGRAM[-1]
    for shell in ('"$0" -c "$1" presets | head -1', '"$0" -c "$1" presets >&-', '"$0" -c "$1" presets 2>&-'):
        run = subprocess.run(
            ["/bin/sh", "-c", shell, sys.executable, code], capture_output=True, text=True, check=False
        )
        assert (run.returncode, run.stderr) == (0, "")


def interrupted(args, begun):
    """Run a command, and interrupt it once `begun` gives true; a shell may have muted SIGINT for us."""
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {PROGRAM[-1]}"
    with subprocess.Popen(
        [*PROGRAM[:-1], code, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        while not begun():
            assert run.poll() is None, run.stderr.read()
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "Traceback" not in err
    return out


def test_an_interrupted_training_leaves_a_checkpoint_to_go_on_from(polydiff, small, place):
    run = ["train", "digits", "--out", "run", *small, "train.steps=100000"]
    assert "polydiff train run --resume" in interrupted(run, (place / "run/metrics.jsonl").exists)
    (checkpoint,) = (place / "run/checkpoints").iterdir()
    step = int(checkpoint.name.removeprefix("step-"))
    assert polydiff("train", "run", "--resume", f"train.steps={step + 1}", "--accelerator=cpu").code == 0


def test_interrupted_samples_are_told_of(polydiff, place, digits_model, tree):
    args = ["generate", str(digits_model), "-n", "100000", "--batch", "2", "--steps", "20", "--out", "out"]
    interrupted(args, (place / "out/samples.jsonl").exists)
    names = {name for name in tree(place / "out") if name.endswith(".png")}
    lines = (place / "out/samples.jsonl").read_text().splitlines()
    assert len(lines) == len(names) > 0
    assert not any(name.endswith(".part") for name in tree(place / "out"))
