import json
import subprocess
import sys

import pytest

from polydiff.cli.main import main

FEW = ["-n", "2", "--reference-steps", "16", "--nfe", "3", "--nfe", "4", "--sampler", "ddim", "--sampler", "heun"]


@pytest.fixture
def model(toy_model, tmp_path):
    toy_model("cat", "dog").save(tmp_path / "run" / "model")
    return str(tmp_path / "run")


def test_every_sampler_on_every_grid(model, tmp_path, capsys):
    picture = tmp_path / "bench.png"
    args = ["--label", "all", "--guidance", "3", "--plot", str(picture), "--json"]
    assert main(["bench", "samplers", model, *FEW, *args]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "runs, " in said.err
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert told["conditions"] == {"label": ["all"]}
    assert (told["samples"], told["guidance"], told["reference"]["steps"]) == (2, ["3"], 16)
    runs = {(each["sampler"]["name"], each["grid"]["name"], each["steps"]) for each in told["measurements"]}
    grids = ("t", "half-log-snr", "karras", "quadratic")
    steps = [("ddim", 3), ("ddim", 4), ("heun", 2), ("heun", 3)]
    assert runs == {(name, grid, n) for name, n in steps for grid in grids}
    for budget, best in told["best"].items():
        allowed = [each for each in told["measurements"] if each["evaluations"] <= int(budget)]
        assert best == min(allowed, key=lambda each: each["error"])


def test_a_table_and_the_best(model, capsys):
    assert main(["bench", "samplers", model, *FEW, "--sampler", "dpm-adaptive", "--sampler", "ddpm"]) == 0
    out = capsys.readouterr().out
    header, *lines = out.splitlines()
    assert header.split("  ")[0] == "SAMPLER"
    assert "ERROR IN 3  ERROR IN 4" in header
    assert sum(line.startswith("ddim ") for line in lines) == 4
    assert sum(line.startswith("dpm-adaptive (rtol ") and "its own: " in line for line in lines) == 3
    assert "\nbest within 4: " in out
    assert "\nleft out: ddpm: draws noise" in out


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--sampler", "dimm"], 2, "did you mean 'ddim'?"),
        (["--sampler", "ddpm"], 2, "draws noise"),
        (["--nfe", "0"], 2, "0 is not in the range"),
        (["--reference-steps", "2"], 2, "2 is not in the range"),
        (["--label", "dgo"], 2, "did you mean 'dog'?"),
        (["--guidance", "2"], 2, "guidance needs a condition"),
        (["--plot", "nowhere/bench.png", "--sampler", "ddim", "--nfe", "1"], 1, "cannot write nowhere/bench.png"),
    ],
)
def test_bad_requests_are_told_in_a_line(model, capsys, args, code, message):
    assert main(["bench", "samplers", model, "-n", "1", "--reference-steps", "16", *args]) == code
    err = capsys.readouterr().err
    said = err[err.index("error: ") :].splitlines()
    assert message in said[0]
    assert len(said) <= 2


def test_a_plot_that_cannot_be_written_is_refused_before_anything_is_measured(model, capsys):
    assert main(["bench", "samplers", model, "--plot", "nowhere/bench.png"]) == 1
    assert capsys.readouterr() == ("", "error: cannot write nowhere/bench.png: No such file or directory\n")


def test_there_may_be_nothing_to_plot_with(model, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["bench", "samplers", model, "--plot", "bench.png"]) == 2
    assert "pip install 'polydiff[plots]'" in capsys.readouterr().err


def test_help_needs_no_torch():
    code = (
        "import sys; from polydiff.cli.main import main; main(['bench', 'samplers', '--help']);"
        "main(['tune-grid', '--help']); assert not {'torch', 'pydantic', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
