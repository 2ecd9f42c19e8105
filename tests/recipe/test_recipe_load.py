import re
import subprocess
import sys
from pathlib import Path

import pytest

from polydiff.errors import RecipeError
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.load import check, load_recipe, read
from polydiff.recipe.schema import ModelConfig, Recipe

MINIMAL = "modality: toy\ncodec: squares\nbackbone: toy-net\n"
TRAINED = MINIMAL + "data: {source: grid}\n"


def refusal(path, overrides=()):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert caught.value.exit_code == 3
    return message


def test_recipe_is_read_with_its_defaults(recipe_file):
    recipe = load_recipe(recipe_file())
    assert recipe.modality == "toy"
    assert recipe.codec == Component("squares")
    assert recipe.backbone == Component("toy-net", {"width": 8})
    assert recipe.conditions == {"label": ConditionConfig("class", dropout=0.1)}
    assert recipe.schedule == Component("cosine")
    assert recipe.prediction == Component("v")
    assert recipe.sample.sampler == Component("dpm++2m")
    assert (recipe.sample.steps, recipe.sample.guidance) == (20, [])
    assert recipe.sample.grid == Component("half-log-snr")
    assert recipe.data.source == Component("grid", {"path": "pictures"})
    assert recipe.data.augment == [Component("flip"), Component("crop", {"p": 0.5})]
    assert (recipe.train.steps, recipe.train.batch, recipe.train.clip) == (100, 16, 1.0)
    assert recipe.train.optimizer.betas == (0.9, 0.99)


def test_condition_keeps_its_dropout_apart_from_the_conditioners_options(recipe_file):
    path = recipe_file(label="label: {name: class, dropout: 0.25, width: 4}\n  #")
    assert load_recipe(path).conditions == {"label": ConditionConfig("class", {"width": 4}, dropout=0.25)}


def test_model_configuration_is_read_from_its_own_file(recipe_file):
    config = check(ModelConfig, *read(Path(recipe_file(MINIMAL))))
    assert type(config) is ModelConfig
    assert config == ModelConfig(modality="toy", codec=Component("squares"), backbone=Component("toy-net"))


def test_components_can_be_said_in_short_in_python_too():
    config = ModelConfig.model_validate(
        {"modality": "toy", "codec": "squares", "backbone": {"name": "toy-net", "width": 8}}
    )
    assert config.backbone == Component("toy-net", {"width": 8})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: 1\nstepz: 1\nbatch: 1", "my.yaml:7: train.stepz: unknown key; did you mean 'steps'?"),
        (
            "stepz: 1\nbatch: 1",
            "my.yaml:6: train.stepz: unknown key; did you mean 'steps'? (1 more error)",
        ),
        ("batch: 1", "my.yaml:5: train.steps: missing"),
        ("steps: 0\nbatch: 1", "my.yaml:6: train.steps: must be at least 1, not 0"),
        ("steps: 1\nbatch: -1", "my.yaml:7: train.batch: must be at least 1, not -1"),
        ("steps: 1\nbatch: 2.0", "my.yaml:7: train.batch: must be a whole number, not 2.0"),
        ("steps: 1_000\nbatch: 2", "my.yaml:6: train.steps: must be a whole number, not the text '1_000'"),
        ("steps: true\nbatch: 2", "my.yaml:6: train.steps: must be a whole number, not true"),
        ("steps: 1\nbatch: 2\nclip: 0", "my.yaml:8: train.clip: must be more than 0, not 0"),
        ("steps: 1\nbatch: 2\nclip: .inf", "my.yaml:8: train.clip: must be a finite number, not inf"),
        ("steps: 1\nbatch: 2\nclip: .nan", "my.yaml:8: .nan (not a number) is no value"),
        ("steps: 1\nbatch: 2\nema: 0.9", "my.yaml:8: train.ema: must be a mapping, not 0.9"),
        ("steps: 1\nbatch: 2\nema:\n  decay: 1", "my.yaml:9: train.ema.decay: must be less than 1, not 1"),
        ("steps: 1\nbatch: 2\nloggers: x", "my.yaml:8: train.loggers: must be a list, not the text 'x'"),
        ("steps: 1\nbatch: 2\noptimizer: {betas: [0.9]}", "my.yaml:8: train.optimizer.betas.1: missing"),
        (
            "steps: 1\nbatch: 2\noptimizer: {betas: [0.9, '1']}",
            "my.yaml:8: train.optimizer.betas.1: must be a number, not the text '1'",
        ),
        (
            "steps: 1\nbatch: 2\nprecision: bf16",
            "my.yaml:8: train.precision: must be '32-true', 'bf16-mixed' or '16-mixed', not the text 'bf16'",
        ),
        ("steps: 1\nbatch: 2\nseed: 0.5\nqqqq: 1", "my.yaml:9: train.qqqq: unknown key; there is accumulate, batch, "),
    ],
)
def test_wrong_value_is_named_with_its_line(recipe_file, text, message):
    indented = "\n".join(f"  {line}" for line in text.splitlines())
    assert refusal(recipe_file(f"{TRAINED}train:\n{indented}\n")).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modality": "modalty:"}, "my.yaml:1: modalty: unknown key; did you mean 'modality'? (1 more error)"),
        ({"codec": "codec: 5\n#"}, "my.yaml:2: codec: must be a name or a mapping with a name, not 5"),
        ({"codec": "codec: {}\n#"}, "my.yaml:2: codec.name: missing"),
        ({"codec": "codec: {name: [a]}\n#"}, "my.yaml:2: codec.name: must be a text, not a list"),
        (
            {"label": "label: {name: class, dropout: 2} #"},
            "my.yaml:7: conditions.label.dropout: must be at most 1, not 2",
        ),
        (
            {"label": "label: {name: class, dropout: '0.5'} #"},
            "my.yaml:7: conditions.label.dropout: must be a number, not the text '0.5'",
        ),
        ({"label": "a.b:"}, "my.yaml:7: conditions.a.b: a condition's name is not empty and has no dot"),
        ({"data": "data:\n  on_error: skp"}, "my.yaml:9: data.on_error: must be 'skip' or 'stop', not the text 'skp'"),
        ({"data": "data:\n  holdout: 1"}, "my.yaml:9: data.holdout: must be less than 1, not 1"),
    ],
)
def test_wrong_section_is_named_with_its_line(recipe_file, changes, message):
    assert refusal(recipe_file(**changes)) == message


@pytest.mark.parametrize("changes", [["bands=4", "samples=7"], ["bands=300"]])
def test_validation_needs_two_samples_a_band(recipe_file, changes):
    message = refusal(recipe_file(), [f"train.validation.{change}" for change in changes])
    assert re.search(r"train\.validation.*: (7|512) are too few for (4|300) bands; the least is (8|600)$", message)


def test_missing_file_is_one_line(tmp_path):
    assert refusal(tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: there is no such recipe"


def test_folder_is_no_recipe(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: is a folder, not a recipe"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the recipe is empty"),
        (b"# nothing\n", "the recipe is empty"),
        (b"- a\n- b\n", "a recipe is a mapping of keys, not a list"),
        (b"word\n", "a recipe is a mapping of keys, not the text 'word'"),
        (b"modality: caf\xe9\n", "not a text in UTF-8 (byte 13)"),
        ("modality: x\n".encode("utf-16"), "not a text in UTF-8 (byte 0)"),
    ],
)
def test_file_that_holds_no_mapping_is_refused(tmp_path, content, message):
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    assert refusal(path) == f"{path}: {message}"


def test_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_bytes(MINIMAL.encode("utf-8-sig"))
    assert read(path)[0]["modality"] == "toy"


def test_component_remembers_where_it_stands_but_not_in_its_equality(recipe_file):
    recipe = load_recipe(recipe_file(), ["schedule=flow"])
    assert str(recipe.backbone.error("too wide", "width")) == "my.yaml:5: backbone.width: too wide"
    assert str(recipe.data.augment[1].error("no", "p")) == "my.yaml:10: data.augment.1.p: no"
    assert str(recipe.schedule.error("no")) == "override 'schedule=flow': schedule: no"
    assert str(recipe.prediction.error("no")) == "my.yaml: prediction: no"
    assert recipe.backbone == Component("toy-net", {"width": 8})
    assert "my.yaml" not in repr(recipe)


def test_recipe_is_not_changed_after_it_was_read(recipe_file):
    recipe = load_recipe(recipe_file())
    with pytest.raises(ValueError, match="frozen"):
        recipe.modality = "other"
    assert isinstance(recipe, Recipe)


def test_reading_a_recipe_does_not_import_torch(recipe_file):
    code = f"""
import sys
from polydiff.recipe.load import load_recipe
load_recipe({recipe_file()!r}, ["train.steps=3"])
assert "pydantic" in sys.modules
assert not sys.modules.keys() & {{"torch", "numpy", "rich", "click"}}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
