"""`polydiff generate --guidance`: a scale, a component, or a chain of them."""

import json

import pytest

from polydiff.cli.main import main

CFG = {"name": "cfg", "scale": 3.0, "interval": [0.0, 1.0], "rescale": 0.0}
APG = {"name": "apg", "scale": 4.0, "eta": 0.0, "threshold": None, "momentum": 0.0, "interval": [0.0, 0.8]}

ZERO = {"name": "cfg-zero*", "scale": 2.0, "zero_steps": 1, "interval": [0.0, 1.0]}


@pytest.fixture
def model(toy_model, tmp_path):
    toy_model("cat", "dog").save(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def unlabelled(toy_model, tmp_path):
    toy_model().save(tmp_path / "unlabelled")
    return str(tmp_path / "unlabelled")


def guidance_of(out):
    return json.loads((out / "samples.jsonl").read_text().splitlines()[0])["guidance"]


@pytest.mark.parametrize(
    ("said", "chain"),
    [
        (["3"], [CFG]),
        (["3.0"], [CFG]),
        (["{name: cfg, scale: 3}"], [CFG]),
        (["{name: apg, scale: 4, momentum: 0, interval: [0, 0.8]}"], [APG]),
        (["3", "{name: apg, scale: 4, momentum: 0, interval: [0, 0.8]}"], [CFG, APG]),
        (["{name: cfg-zero*, scale: 2}"], [ZERO]),
        (["none"], []),
    ],
)
def test_a_chain_is_recorded_whole(model, tmp_path, said, chain):
    out = tmp_path / "out"
    options = [word for each in said for word in ("--guidance", each)]
    assert main(["generate", model, "-n", "1", "--label", "cat", "--out", str(out), *options]) == 0
    assert guidance_of(out) == chain


def test_a_weaker_model_goes_by_its_folder(model, unlabelled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    auto = "{name: autoguidance, weaker: model, scale: 2}"
    assert main(["generate", model, "-n", "1", "--label", "cat", "--guidance", auto, "--out", "out"]) == 0
    named = {"name": "autoguidance", "weaker": model, "scale": 2.0, "interval": [0.0, 1.0]}
    assert guidance_of(tmp_path / "out") == [named]
    auto = "{name: autoguidance, weaker: unlabelled, scale: 2}"
    assert main(["generate", unlabelled, "-n", "1", "--guidance", auto, "--out", "alone"]) == 0
    assert guidance_of(tmp_path / "alone") == [{**named, "weaker": unlabelled}]


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        ("cgf", 2, "unknown guidance 'cgf'; did you mean 'cfg'?"),
        ("cfg", 2, "cfg.scale: missing"),
        ("{name: apg, scale: 4, momentun: 0}", 2, "apg.momentun: unknown option; did you mean 'momentum'?"),
        ("{name: apg, scale: much}", 2, "apg.scale: must be a number, not the text 'much'"),
        ("{name: apg, scale: 4, denoiser: x}", 2, "the engine sets this itself"),
        ("[cfg, apg]", 2, "--guidance takes NAME or '{name: NAME, option: value}'"),
        ("{name: apg", 2, "--guidance"),
        ("nan", 2, "the guidance scale is nan; it must be finite"),
        ("{name: energy, scale: 1}", 2, "energy.score: a function, which no recipe can give"),
        ("{name: perturbed-attention, scale: 2}", 2, "needs a network with self-attention"),
        ("{name: autoguidance, weaker: nowhere, scale: 2}", 5, "nowhere: no such model folder or run folder"),
    ],
)
def test_a_mistake_is_told_in_a_line(model, tmp_path, capsys, said, code, message):
    assert main(["generate", model, "--label", "cat", "--out", str(tmp_path / "out"), "--guidance", said]) == code
    told = capsys.readouterr().err.splitlines()
    assert message in told[0]
    assert len(told) <= 2
    assert not (tmp_path / "out").exists()
