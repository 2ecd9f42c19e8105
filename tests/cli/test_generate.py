import json
import os
import subprocess
import sys

import pytest

from polydiff.cli.main import main


@pytest.fixture
def model(toy_model, tmp_path):
    toy_model("cat", "dog", "a, b").save(tmp_path / "run" / "model")
    return str(tmp_path / "run")


def captions(out):
    return json.loads((out / "sheet.png").read_text())[1]


def test_generate_writes_what_is_asked_for(model, tmp_path, capsys):
    out = tmp_path / "out"
    how = ["--guidance", "2", "--sampler", "ddim", "--steps", "3", "--grid", "t", "--format", "text", "--trajectory"]
    which = ["-n", "3", "--label", "cat,dog", "--seed", "5", "--first", "2", "--size", "2x6", "--batch", "2"]
    assert main(["generate", model, "--out", str(out), *how, *which]) == 0
    said = capsys.readouterr()
    assert said.out == f"3 samples in {out}; sheet.png there shows them at a glance\n"
    assert said.err.startswith("3/3 samples, ")
    records = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert [record["index"] for record in records] == [2, 3, 4]
    for record in records:
        assert record["sampler"] == {"name": "ddim", "eta": 0.0}
        assert (record["steps"], record["grid"], record["seed"], record["shape"]) == (3, {"name": "t"}, 5, [1, 2, 6])
        assert record["guidance"] == [{"name": "cfg", "scale": 2.0, "interval": [0.0, 1.0], "rescale": 0.0}]
        assert len(record["trajectory"]) == 2
    assert captions(out) == ["cat", "dog", "cat"]


def test_samplers_and_grids_take_options(model, tmp_path):
    out = tmp_path / "out"
    how = ["--sampler", "{name: ddim, eta: 0.5}", "--grid", "{name: karras, rho: 5}"]
    assert main(["generate", model, "-n", "1", "--out", str(out), *how]) == 0
    record = json.loads((out / "samples.jsonl").read_text())
    assert record["sampler"] == {"name": "ddim", "eta": 0.5}
    assert record["grid"] == {"name": "karras", "rho": 5.0}


def test_the_recipe_says_what_is_not_asked_for(model, tmp_path):
    out = tmp_path / "out"
    assert main(["generate", model, "-n", "1", "--label", "cat", "--out", str(out)]) == 0
    record = json.loads((out / "samples.jsonl").read_text())
    assert record["sampler"] == {"name": "dpm++2m"}
    assert (record["steps"], record["grid"], record["seed"], record["index"]) == (4, {"name": "half-log-snr"}, 0, 0)


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["--label", "all"], ["cat", "dog", "a, b", "cat"]),
        (["--label", "a, b"], ["a, b"] * 4),
        (["--label", "dog, cat"], ["dog", "cat", "dog", "cat"]),
        (["--label", "dog", "--label", "a, b"], ["dog", "a, b", "dog", "a, b"]),
        (["--condition", "label=dog"], ["dog"] * 4),
        ([], [""] * 4),
    ],
)
def test_labels_are_taken_in_turn(model, tmp_path, labels, shown):
    assert main(["generate", model, "-n", "4", "--out", str(tmp_path / "out"), *labels]) == 0
    assert captions(tmp_path / "out") == shown


def test_json_alone_is_on_stdout(model, tmp_path, capsys):
    assert main(["generate", model, "-n", "2", "--json", "--out", str(tmp_path / "out")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [sample["file"] for sample in told["samples"]] == ["00000.txt", "00001.txt"]
    assert told["out"] == str(tmp_path / "out")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--label", "dgo"], 2, "unknown class 'dgo'; did you mean 'dog'?"),
        (["--condition", "lable=dog"], 2, "unknown condition 'lable'; did you mean 'label'?"),
        (["--condition", "label"], 2, "NAME=VALUE, not 'label'"),
        (["--size", "5x4"], 2, "6x4"),
        (["--sampler", "dimm"], 2, "did you mean 'ddim'?"),
        (["--grid", "s"], 2, "unknown time grid 's'"),
        (["--grid", "{name: karras, rh: 5}"], 2, "karras.rh: unknown option; did you mean 'rho'?"),
        (["--grid", "{name: karras, rho: five}"], 2, "karras.rho: must be a number, not the text 'five'"),
        (["--grid", "{name: karras, rho: 0}"], 2, "needs rho > 0"),
        (["--grid", "[karras]"], 2, "--grid takes NAME or '{name: NAME, option: value}'"),
        (["--grid", "{name: karras"], 2, "--grid"),
        (["--grid", "tuned"], 2, "no time grid is tuned for dpm++2m with 4 steps, there is none"),
        (["--sampler", "{name: ddim, eta: 2}"], 2, "eta between 0 and 1"),
        (["--format", "txt"], 2, "did you mean 'text'?"),
        (["--guidance", "2"], 2, "guidance needs a condition"),
        (["-n", "0"], 2, "0 is not in the range"),
        (["--seed", "-1"], 2, "-1 is not in the range"),
        (["--samples", "3"], 2, "No such option"),
        (["--accelerator", "cuda", "--devices", "99"], 2, "CUDA devices asked for: 99; this machine has"),
    ],
)
def test_bad_requests_are_told_in_a_line(model, tmp_path, capsys, args, code, message):
    assert main(["generate", model, "--out", str(tmp_path / "out"), *args]) == code
    said = capsys.readouterr().err.splitlines()
    assert message in said[0]
    assert len(said) <= 2
    assert not (tmp_path / "out").exists()


def test_a_refused_model_has_exit_code_5(model, tmp_path, capsys):
    with (tmp_path / "run/model/weights.safetensors").open("ab") as file:
        file.write(b"\0")
    assert main(["generate", model, "--out", str(tmp_path / "out")]) == 5
    assert "SHA-256" in capsys.readouterr().err


def test_samples_are_not_replaced_unasked(model, tmp_path, capsys):
    command = ["generate", model, "-n", "2", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    first = (tmp_path / "out/00000.txt").read_bytes()
    assert main([*command, "--seed", "1"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "out/00000.txt").read_bytes() == first
    assert main([*command, "--seed", "1", "--overwrite"]) == 0
    assert (tmp_path / "out/00000.txt").read_bytes() != first


def test_a_terminal_shows_a_bar(model, tmp_path):
    import pty

    args = ["generate", model, "-n", "3", "--batch", "1", "--out", str(tmp_path / "out")]
    script = f"from polydiff.cli.main import main; raise SystemExit(main({args}))"
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", script], stderr=theirs, stdout=subprocess.PIPE, env=environment
    ) as run:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:
                break
        assert run.wait() == 0
    os.close(ours)
    assert b"3/3" in shown
    assert b"samples/s" in shown


def test_help_needs_neither_torch_nor_pydantic():
    code = (
        "import sys; from polydiff.cli.main import main; main(['generate', '--help']);"
        "assert not {'torch', 'pydantic', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
