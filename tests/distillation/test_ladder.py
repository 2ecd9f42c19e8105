"""The ladder, on a modality of a plugin that has no code for it."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file

import polydiff
from polydiff.errors import ModelError, UsageError
from polydiff.model.folder import read_config
from polydiff.recipe.load import load_recipe
from polydiff.training.assemble import assemble
from polydiff.training.resume import check_changes, resumed_recipe

SMALL = {"limit": 1e9, "samples": 8, "rung_steps": 6}


def weights_of(folder):
    return load_file(folder / "model" / "weights.safetensors")


def test_a_ladder_ends_with_a_model_of_few_steps_that_knows_where_it_comes_from(teacher, climb):
    ladder, reason = climb("out", model=str(teacher), steps=2, **SMALL)
    assert reason == "finished"
    assert [row.name for row in ladder.receipt.rungs] == ["01-8-to-4", "02-4-to-2"]
    model = polydiff.load(ladder.folder)
    assert len(model.generate(3, label="all")) == 3
    distilled = model.config.distilled
    assert (model.config.sample.steps, model.config.sample.grid.options["times"]) == (2, [1.0, 0.5, 0.0])
    assert [(rung.method, rung.steps) for rung in distilled.rungs] == [("progressive", 4), ("progressive", 2)]
    first = polydiff.load(ladder.folder / "rungs" / "01-8-to-4")
    assert [rung.teacher for rung in distilled.rungs] == [polydiff.load(teacher).sha256, first.sha256]
    assert all(rung.loss > 0 for rung in distilled.rungs)


def test_the_receipt_counts_evaluations_and_measures_from_the_same_noise(teacher, climb):
    ladder, _ = climb("out", model=str(teacher), steps=2, **SMALL)
    receipt = ladder.receipt
    inside = sum(t <= 0.6 for t in (1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8))
    assert (receipt.teacher.steps, receipt.teacher.evaluations) == (8, 8 + inside)
    assert [row.evaluations for row in receipt.rungs] == [4, 2]
    assert receipt.teacher.distance == 0 < receipt.rungs[0].distance
    assert (receipt.untaught.sampler, receipt.untaught.steps) == ("ddim", 2)
    assert all(math.isfinite(row.figures["mmd"]) for row in (receipt.teacher, *receipt.rungs))
    written = json.loads((ladder.folder / "receipt.json").read_text())
    assert written["kept"] == "02-4-to-2"
    assert written["rungs"][1]["distance"] == receipt.rungs[1].distance


def test_more_training_brings_a_student_nearer_to_its_teacher(teacher, climb):
    few, many = (
        climb(str(n), model=str(teacher), steps=4, limit=1e9, samples=8, rung_steps=n)[0].receipt.rungs[0]
        for n in (1, 150)
    )
    assert many.distance < 0.7 * few.distance
    assert many.loss < 0.5 * few.loss


@pytest.mark.parametrize("stop_at", [3, 9])
def test_a_ladder_that_was_stopped_ends_as_if_it_had_not_been(teacher, climb, stop_at):
    whole, _ = climb("whole", model=str(teacher), steps=2, guidance=(1.0, 3.0), **SMALL)
    _, reason = climb("mine", stop_at=stop_at, model=str(teacher), steps=2, guidance=(1.0, 3.0), **SMALL)
    assert reason == "interrupted"
    mine, reason = climb("mine")
    assert reason == "finished"
    expected, found = weights_of(whole.folder), weights_of(mine.folder)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert [row.figures for row in whole.receipt.rungs] == [row.figures for row in mine.receipt.rungs]


@pytest.mark.parametrize("stop_at", [3, 9])
def test_a_ladder_goes_on_where_it_and_its_teacher_were_moved_to(teacher, climb, stop_at):
    whole, _ = climb("whole", model=str(teacher), steps=2, **SMALL)
    mine = climb("mine", stop_at=stop_at, model=str(teacher), steps=2, **SMALL)[0].folder
    elsewhere = mine.parent / "elsewhere"
    for folder in (mine, teacher):
        elsewhere.mkdir(exist_ok=True)
        folder.rename(elsewhere / folder.name)
    moved, reason = climb("elsewhere/mine")
    assert reason == "finished"
    expected, found = weights_of(whole.folder), weights_of(moved.folder)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_rung_is_told_where_its_teacher_was_moved_to(teacher, climb):
    ladder, _ = climb("mine", stop_at=3, model=str(teacher), steps=2, **SMALL)
    rung = ladder.folder / "rungs" / "01-8-to-4"
    elsewhere = teacher.rename(teacher.with_name("elsewhere"))
    with pytest.raises(ModelError, match=r"the teacher, .*, is gone; distill.teacher=FOLDER says where it is now"):
        assemble(resumed_recipe(rung, []))
    parts = assemble(resumed_recipe(rung, [f"distill.teacher={elsewhere}/model"]))
    assert check_changes(rung, parts.recipe, accept=False) == []


def test_a_rung_beyond_the_limit_ends_the_ladder_and_the_one_before_is_kept(teacher, climb, monkeypatch):
    from polydiff.distillation.judge import Judge

    judged = []

    def beyond(self, figures, teacher, limit):
        judged.append(figures)
        return ["mmd"] if len(judged) == 2 else []

    monkeypatch.setattr(Judge, "beyond", beyond)
    ladder, reason = climb("out", model=str(teacher), steps=1, **SMALL)
    assert reason == "limit"
    assert [row.name for row in ladder.receipt.rungs] == ["01-8-to-4", "02-4-to-2"]
    assert ladder.receipt.kept.name == "01-8-to-4"
    assert read_config(ladder.folder / "model").sample.steps == 4


def test_a_rung_is_a_run_that_training_goes_on_with(teacher, climb):
    ladder, _ = climb("out", model=str(teacher), steps=4, **SMALL)
    folder = ladder.folder / "rungs" / "01-8-to-4"
    recipe = load_recipe(folder / "recipe.yaml")
    assert recipe.distill.method.name == "progressive"
    assert recipe.distill.weights == polydiff.load(teacher).sha256
    assert check_changes(folder, recipe, accept=False) == []
    changed = load_recipe(folder / "recipe.yaml", ["distill.method.factor=4"])
    with pytest.raises(UsageError, match=r"distill\.method\.factor: 2 -> 4"):
        check_changes(folder, changed, accept=False)


def test_a_student_can_be_taken_further(teacher, climb):
    first, _ = climb("first", model=str(teacher), steps=4, **SMALL)
    second, _ = climb("second", model=str(first.folder), steps=2, **SMALL)
    assert [row.name for row in second.receipt.rungs] == ["01-4-to-2"]
    assert second.receipt.untaught is None
    assert [rung.steps for rung in read_config(second.folder / "model").distilled.rungs] == [4, 2]
