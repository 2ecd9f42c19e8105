"""`polydiff generate` by prompts: what is asked for, what is avoided, what is weighed, what is refused."""

import json

import pytest
import torch

from polydiff.core.noise import Seeds
from polydiff.errors import UsageError
from polydiff.model.model import Model
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.schema import ModelConfig, SampleConfig
from polydiff.testing.small_run import shaken

TEXT = ConditionConfig("text", {"length": 4, "width": 32, "layers": 1})
CUT = ConditionConfig("text", {"length": 2, "width": 32, "layers": 1, "too_long": "truncate"})
LABEL = ConditionConfig("class", {"classes": ["0", "1"], "width": 32})


def model_of(**conditions):
    torch.manual_seed(0)
    backbone = Component("unet2d", {"channels": 8, "multipliers": [1, 1], "blocks": 1, "head_width": 8})
    return shaken(
        Model.from_config(
            ModelConfig(
                modality="image",
                codec=Component("pixels", {"size": 4, "channels": 1}),
                backbone=backbone,
                conditions=conditions,
                sample=SampleConfig(steps=2, guidance=[Component("cfg", {"scale": 2.0, "interval": [0.0, 0.9]})]),
            )
        )
    )


@pytest.fixture(scope="module")
def model():
    return model_of(caption=TEXT, label=LABEL)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "model"
    model.save(folder)
    return folder


@pytest.fixture
def generate(saved, tmp_path, capsys):
    from polydiff.cli.main import main

    def run(*options, of=saved):
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        code = main(["generate", str(of), "-n", "3", "--accelerator", "cpu", "--out", str(out), *options])
        lines = (out / "samples.jsonl").read_text().splitlines() if code == 0 else []
        return code, [json.loads(line) for line in lines], capsys.readouterr().err

    return run


def tensors(model, **options):
    return model.sample(Seeds(0, range(2)), **options)


def test_prompts_are_taken_in_turn(generate, tmp_path):
    (tmp_path / "prompts.txt").write_text("\na blue circle\n\n")
    code, records, _ = generate("--prompt", "a (red:1.5) one", "--prompts-file", str(tmp_path / "prompts.txt"))
    assert code == 0
    texts = [record["conditions"]["caption"] for record in records]
    assert texts == ["a (red:1.5) one", "a blue circle", "a (red:1.5) one"]


def test_a_scale_for_each_condition(generate):
    code, records, _ = generate("--prompt", "red", "--label", "1", "--guidance", "caption=4,label=1.5")
    assert code == 0
    scales = {"caption": 4.0, "label": 1.5}
    assert records[0]["guidance"] == [{"name": "composed", "scales": scales, "scale": 1.0, "interval": [0.0, 0.9]}]


def test_what_is_avoided_is_told(generate):
    code, records, _ = generate("--prompt", "red", "--negative", "blue", "--guidance", "3")
    assert code == 0
    assert records[0]["avoided"] == {"caption": "blue"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompt", "one two three four five"], "the text 'one two three four five' has 5 words; 4 are read at most"),
        (["--prompt", "red", "--guidance", "caption=2,label=3"], "weighs the condition 'label', which is not given"),
        (["--prompt", "red", "--guidance", "captain=2"], "unknown condition 'captain'; did you mean 'caption'?"),
        (["--guidance", "captain=2"], "guidance: unknown condition 'captain'; did you mean 'caption'?"),
        (["--prompt", "red", "--guidance", "caption=x"], "takes CONDITION=SCALE"),
        (["--prompt", "red", "--negative", "blue", "--guidance", "1"], "leads away from what is to be avoided"),
        (["--prompt", "red", "--condition", "caption=blue"], "by its name and as a prompt, too"),
        (["--prompts-file", "missing.txt"], "--prompts-file missing.txt: No such file"),
    ],
)
def test_what_cannot_be_is_refused(generate, options, message):
    code, _, err = generate(*options)
    assert code == 2
    assert message in err


def test_models_without_prompts_or_with_several_say_so(generate, tmp_path):
    for name, conditions, message in (
        ("none", {"label": LABEL}, "the model takes no prompt: its conditions are label"),
        ("two", {"caption": TEXT, "title": TEXT}, "the model takes prompts as caption and as title"),
    ):
        model_of(**conditions).save(tmp_path / name)
        code, _, err = generate("--prompt", "red", of=tmp_path / name)
        assert code == 2
        assert message in err


def test_what_is_cut_is_told(generate, tmp_path):
    model_of(caption=CUT).save(tmp_path / "cut")
    code, records, err = generate("--prompt", "one two three four", of=tmp_path / "cut")
    assert code == 0
    assert records[0]["unread"] == {"caption": "three four"}
    assert "this is left out: three four" in err


def test_of_one_condition_a_scale_by_name_is_the_scale(model):
    values = {"caption": [model.conditioners["caption"].parse("red")] * 2}
    one, other = (tensors(model, conditions=values, guidance=each) for each in (3.0, {"caption": 3.0}))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_avoiding_nothing_in_particular_is_plain_guidance(model):
    text = model.conditioners["caption"]
    values = {"caption": [text.parse("red")] * 2}
    plain = tensors(model, conditions=values)
    empty = tensors(model, conditions=values, avoided={"caption": [text.parse("")] * 2})
    blue = tensors(model, conditions=values, avoided={"caption": [text.parse("blue")] * 2})
    assert torch.equal(empty, plain)
    assert (blue - plain).abs().max() > 1e-4


def test_the_same_in_python(model):
    contents = model.generate(
        2, caption=["red", "a (blue:2) one"], label="1", negative="green", guidance={"caption": 2}
    )
    assert len(contents) == 2
    with pytest.raises(UsageError, match="did you mean 'caption'"):
        model.generate(1, caption="red", negative={"capton": "x"})
