import json

import pytest

from polydiff.cli.main import main

FEW = ["-n", "4", "--reference-steps", "32"]


@pytest.fixture
def model(toy_model, tmp_path):
    toy_model("cat", "dog").save(tmp_path / "run" / "model")
    return tmp_path / "run"


def test_a_better_grid_is_kept_and_used(model, tmp_path, capsys):
    sampler = ["--sampler", "{name: unipc, order: 1}", "--steps", "4"]
    assert main(["tune-grid", str(model), *sampler, *FEW, "--label", "all", "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "\nround 0: error " in said.err
    assert told["kept"]
    assert told["figures"]["error"] < told["figures"]["untuned"]["error"]
    (stored,) = json.loads((model / "model" / "grids.json").read_text())["grids"]
    assert stored["times"] == told["times"]
    assert stored["sampler"] == {"name": "unipc", "order": 1, "variant": "bh2"}
    assert stored["figures"] == told["figures"]
    out = tmp_path / "out"
    assert main(["generate", str(model), "-n", "1", *sampler, "--grid", "tuned", "--out", str(out)]) == 0
    record = json.loads((out / "samples.jsonl").read_text())
    assert record["grid"] == {"name": "times", "times": told["times"]}


def test_the_recipe_says_what_is_not_asked_for(model, capsys):
    assert main(["tune-grid", str(model), *FEW]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("dpm++2m in 4 steps, on noise not seen: error ")
    assert said[1] == f"try: polydiff generate {model} --sampler dpm++2m --steps 4 --grid tuned --out out"


def test_what_is_no_better_is_not_kept(model, capsys, monkeypatch):
    from polydiff.tuning.tune import Tuned

    monkeypatch.setattr(Tuned, "wins", False)
    assert main(["tune-grid", str(model), *FEW]) == 0
    assert capsys.readouterr().out.endswith("not kept: it is no better\n")
    assert not (model / "model" / "grids.json").exists()


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--sampler", "dimm"], 2, "did you mean 'ddim'?"),
        (["--sampler", "ddpm"], 2, "'ddpm' draws noise"),
        (["--sampler", "dpm-adaptive"], 2, "'dpm-adaptive' claims no order"),
        (["--sampler", "{name: ddim, eta: 0.5}"], 2, "this sampler draws noise"),
        (["--steps", "1"], 2, "1 is not in the range"),
        (["--label", "dgo"], 2, "did you mean 'dog'?"),
    ],
)
def test_bad_requests_are_told_in_a_line(model, capsys, args, code, message):
    assert main(["tune-grid", str(model), *FEW, *args]) == code
    err = capsys.readouterr().err
    said = err[err.index("error: ") :].splitlines()
    assert message in said[0]
    assert len(said) <= 2
    assert not (model / "model" / "grids.json").exists()


def test_a_damaged_file_is_told_before_the_search(model, capsys):
    (model / "model" / "grids.json").write_text("{")
    assert main(["tune-grid", str(model), *FEW]) == 5
    assert capsys.readouterr().err.startswith("error: ")
