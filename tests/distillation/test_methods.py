"""Consistency models and flow maps, climbed to on a modality that has no code for it."""

import pytest
import torch
from safetensors.torch import load_file

import polydiff
from polydiff.errors import PolydiffError, UsageError
from polydiff.model.folder import read_config
from polydiff.model.model import Model
from polydiff.recipe.load import load_recipe
from polydiff.training.teacher import Teacher

SMALL = {"limit": 1e9, "samples": 8, "rung_steps": 6}
METHODS = ["consistency", "flow-map"]


def weights_of(folder):
    return load_file(folder / "model" / "weights.safetensors")


@pytest.mark.parametrize("method", METHODS)
def test_a_student_of_any_number_of_steps(teacher, climb, method):
    ladder, reason = climb("out", model=str(teacher), steps=2, method=method, **SMALL)
    assert (reason, [row.evaluations for row in ladder.receipt.rungs]) == ("finished", [2])
    model = polydiff.load(ladder.folder)
    assert (model.config.sample.sampler.name, model.config.distilled.samplers) == (method, [method])
    assert len(model.generate(3, label="all")) == 3
    assert len(model.generate(3, label="all", steps=1)) == 3
    with pytest.raises(
        UsageError, match=f"sampler 'dpm\\+\\+2m' cannot walk this distilled model; it is made for {method}"
    ):
        model.generate(3, label="all", sampler="dpm++2m")


@pytest.mark.parametrize("method", METHODS)
def test_what_was_stopped_ends_as_if_it_had_not_been(teacher, climb, method):
    request = {"model": str(teacher), "steps": 1, "method": method, "guidance": (1.0, 3.0), **SMALL}
    whole, _ = climb("whole", **request)
    assert [row.name for row in whole.receipt.rungs] == ["01-match-8", f"02-{method}"]
    _, reason = climb("mine", stop_at=9, **request)
    assert reason == "interrupted"
    mine, reason = climb("mine")
    assert reason == "finished"
    expected, found = weights_of(whole.folder), weights_of(mine.folder)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_flow_map_begins_as_its_teacher(teacher, climb):
    ladder, _ = climb("out", model=str(teacher), steps=1, method="flow-map", **SMALL)
    student, model = Model.from_config(read_config(ladder.folder / "model")), polydiff.load(teacher)
    Teacher(model).start(student)
    x_t, t, s = torch.randn(3, 1, 4, 4), torch.tensor([0.2, 0.5, 0.9]), torch.tensor(0.1)
    expected = model.denoiser(x_t, t)
    torch.testing.assert_close(student.denoiser.toward(s)(x_t, t), expected)


@pytest.mark.parametrize("method", METHODS)
def test_a_smaller_student_learns_to_match_first(teacher, climb, method):
    overrides = ("backbone.width=4",)
    ladder, _ = climb("out", model=str(teacher), steps=1, method=method, overrides=overrides, **SMALL)
    assert [row.name for row in ladder.receipt.rungs] == ["01-match-8", f"02-{method}"]
    rungs = read_config(ladder.folder / "model").distilled.rungs
    assert [rung.method for rung in rungs] == ["match", method]
    assert polydiff.load(ladder.folder).backbone.into.out_channels == 4


def test_ends_of_trajectories_teach_no_steps(teacher, climb):
    ladder, _ = climb("out", model=str(teacher), steps=2, method="consistency", **SMALL)
    with pytest.raises(UsageError, match="made for consistency, whose steps teach no other: distil from its teacher"):
        climb("further", model=str(ladder.folder), steps=1, **SMALL)


def test_a_method_takes_options(teacher, climb):
    method = "{name: consistency, pairs: data, gap: [0.5, 0.1]}"
    ladder, _ = climb("out", model=str(teacher), steps=1, method=method, **SMALL)
    recipe = load_recipe(ladder.folder / "recipe.yaml")
    assert (recipe.distill.method.options["pairs"], recipe.distill.method.options["gap"]) == ("data", [0.5, 0.1])


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("{name: consistency, pair: data}", "did you mean 'pairs'"),
        ("{name: progressive, factor: 3}", "'factor' of progressive follows from --steps and --from"),
        ("consistent", "did you mean 'consistency'"),
    ],
)
def test_senseless_methods_are_refused(teacher, climb, method, message):
    with pytest.raises(PolydiffError, match=message):
        climb("out", model=str(teacher), steps=1, method=method, **SMALL)


def test_matching_changes_no_number_of_steps(teacher, climb):
    ladder, _ = climb("out", model=str(teacher), steps=3, method="match", **SMALL)
    assert [row.steps for row in ladder.receipt.rungs] == [3]
    with pytest.raises(UsageError, match="'match' changes no number of steps: leave --from 8 away"):
        climb("other", model=str(teacher), steps=3, start=8, method="match", **SMALL)
    with pytest.raises(UsageError, match="the model is a student of 3 steps, and 'match' changes no number of them"):
        climb("further", model=str(ladder.folder), steps=2, method="match", **SMALL)
