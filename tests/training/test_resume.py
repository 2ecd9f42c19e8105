"""What may change in a run that goes on."""

import pytest

from polydiff.cli.main import main
from polydiff.errors import UsageError
from polydiff.recipe.load import load_recipe
from polydiff.training.assemble import assemble
from polydiff.training.resume import check_changes, differences, resumed_recipe


@pytest.fixture
def stopped(train_toy):
    """The folder of a run that was stopped."""
    run, _ = train_toy("run", stop_at=5)
    return run.folder


def test_differences_are_told_key_by_key(toy_recipe):
    before = load_recipe(toy_recipe)
    now = load_recipe(
        toy_recipe,
        ["backbone.width=16", "train.clip=null", "sample.guidance=[{name: cfg, scale: 3}]", "conditions={}"],
    )
    assert {str(change) for change in differences(before, now)} == {
        "backbone.width: 8 -> 16",
        'conditions.label.name: "class" -> absent',
        "conditions.label.dropout: 0.1 -> absent",
        "conditions.label.width: 8 -> absent",
        "conditions: absent -> {}",
        "sample.guidance: [] -> absent",
        'sample.guidance.0.name: absent -> "cfg"',
        "sample.guidance.0.scale: absent -> 3",
        "train.clip: 1.0 -> null",
    }


def changed(folder, *overrides):
    return assemble(resumed_recipe(folder, overrides)).recipe


HARMLESS = [
    "train.steps=20",
    "train.max_minutes=5",
    "train.max_bad_steps=2",
    "train.accumulate=2",
    "train.validation.every=2",
    "train.preview.samples=1",
    "train.checkpoint={every: 1, keep: 9, best: true}",
    "train.loggers=[csv]",
    "data.workers=1",
    "sample.steps=3",
]


@pytest.mark.parametrize("change", HARMLESS)
def test_harmless_changes_are_free(stopped, change):
    assert check_changes(stopped, changed(stopped, change), accept=False) == []


def test_an_option_that_is_newer_than_the_run_changes_nothing_by_its_default(stopped):
    for path in stopped.rglob("recipe.yaml"):
        assert "\n    count: 40\n" in path.read_text()
        path.write_text(path.read_text().replace("\n    count: 40\n", "\n"))
    assert check_changes(stopped, changed(stopped), accept=False) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("train.seed=1", "  train.seed: 0 -> 1"),
        ("train.batch=16", "  train.batch: 8 -> 16"),
        ("train.precision=bf16-mixed", '  train.precision: "32-true" -> "bf16-mixed"'),
        ("train.optimizer.lr=0.5", "  train.optimizer.lr: 0.01 -> 0.5"),
        ("train.validation.samples=32", "  train.validation.samples: 16 -> 32"),
        ("data.source={name: levels, count: 30}", "  data.source.count: 40 -> 30"),
        ("data.holdout=0.5", "  data.holdout: 0.25 -> 0.5"),
    ],
)
def test_other_changes_are_refused_with_a_line_each(stopped, change, line):
    recipe = changed(stopped, change, "train.steps=20")
    with pytest.raises(UsageError, match="these changes make it another run") as refused:
        check_changes(stopped, recipe, accept=False)
    assert str(refused.value).splitlines()[1:] == [line]
    assert [f"  {each}" for each in check_changes(stopped, recipe, accept=True)] == [line]


def test_recipe_edited_in_the_run_folder_is_a_change_too(stopped, capsys):
    path = stopped / "recipe.yaml"
    path.write_text(path.read_text().replace("weight_decay: 0.1", "weight_decay: 0.2"))
    assert main(["train", str(stopped), "--resume"]) == 2
    assert "  train.optimizer.weight_decay: 0.1 -> 0.2" in capsys.readouterr().err.splitlines()


def test_accepted_changes_are_noted_once(stopped, capsys):
    args = ["train", str(stopped), "--resume", "--accelerator", "cpu"]
    assert main([*args, "train.optimizer.lr=0.5", "--accept-changes", "train.steps=8"]) == 0
    note = "note: changed for the rest of the run: train.optimizer.lr: 0.01 -> 0.5"
    assert note in capsys.readouterr().err.splitlines()
    assert main([*args, "train.steps=9"]) == 0
    assert "note: changed" not in capsys.readouterr().err


def test_accepting_changes_goes_with_resuming(toy_recipe, capsys):
    assert main(["train", str(toy_recipe), "--accept-changes"]) == 2
    assert "--accept-changes goes with --resume" in capsys.readouterr().err
