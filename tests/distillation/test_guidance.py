"""Guidance built into a student: the teacher that is guided, and the student that is told how much."""

import pytest
import torch

import polydiff
from polydiff.conditioning.guidance_scale import GuidanceScale
from polydiff.core.noise import DISTILL, Seeds
from polydiff.errors import UsageError
from polydiff.model.distilled import SCALE
from polydiff.recipe.component import Component
from polydiff.training.teacher import Teacher


@pytest.fixture
def model(toy_model):
    return toy_model("a", "b")


@pytest.fixture
def student(toy_config):
    """A student of `model` that is told the scale, not yet started."""
    from polydiff.model import Model
    from polydiff.recipe.component import ConditionConfig

    torch.manual_seed(1)
    config = toy_config("a", "b")
    told = ConditionConfig("guidance-scale", {"low": 1.0, "high": 4.0, "width": 8}, dropout=0.0)
    return Model.from_config(config.model_copy(update={"conditions": {**config.conditions, SCALE: told}})).eval()


def batch(model, seeds):
    x = seeds.normal(model.codec.shape, stream=0)
    return x, torch.linspace(0.05, 0.95, len(x), dtype=torch.float64), {"label": [0, 1, None, 0, 1, 1]}


SEEDS = Seeds(3, range(6))


def test_the_teacher_is_guided_by_each_samples_scale_within_the_interval(model, student):
    interval = (0.2, 0.7)
    teacher = Teacher(model, [Component("cfg", {"scale": 9.0, "interval": list(interval)})], (1.0, 4.0))
    x, t, values = batch(model, SEEDS)
    told = teacher.tell(student, values, SEEDS)
    assert ((told.scale > 1) & (told.scale < 4)).all()
    assert torch.equal(told.scale, 1 + 3 * SEEDS.uniform((), stream=DISTILL))
    found = teacher.x0(x, t, told)
    for i, scale in enumerate(told.scale.tolist()):
        cfg = polydiff.guidance("cfg", model.denoiser, scale=scale, interval=interval)
        cond = model.condition({"label": [values["label"][i]]})
        with torch.no_grad():
            torch.testing.assert_close(found[i : i + 1], cfg(x[i : i + 1], t[i : i + 1], cond), atol=1e-5, rtol=0)


def test_a_fixed_guidance_is_the_recipes_chain(model):
    chain = [Component("cfg", {"scale": 2.5, "interval": [0.0, 0.5], "rescale": 0.3})]
    x, t, values = batch(model, SEEDS)
    teacher = Teacher(model, chain)
    told = teacher.tell(model, values, SEEDS)
    assert told.scale is None
    cfg = polydiff.guidance("cfg", model.denoiser, scale=2.5, interval=(0.0, 0.5), rescale=0.3)
    with torch.no_grad():
        expected = cfg(x, t, model.condition(values))
    torch.testing.assert_close(teacher.x0(x, t, told), expected, atol=1e-6, rtol=0)


def test_only_rows_within_the_interval_are_evaluated_twice(model):
    rows = []
    model.backbone.register_forward_pre_hook(lambda _, arguments: rows.append(len(arguments[0])))
    teacher = Teacher(model, [Component("cfg", {"scale": 2.0, "interval": [0.0, 0.5]})])
    x, t, values = batch(model, SEEDS)
    teacher.x0(x, t, teacher.tell(model, values, SEEDS))
    assert sum(rows) == len(x) + int((t <= 0.5).sum())


def test_a_student_that_is_told_the_scale_begins_as_its_teacher(model, student):
    teacher = Teacher(model, [Component("cfg", {"scale": 2.0})], (1.0, 4.0))
    teacher.start(student)
    x, t, values = batch(model, SEEDS)
    with torch.no_grad():
        one = student.denoiser(
            x, t, student.condition({**values, SCALE: [[w] for w in (1.0, 1.5, 2.0, 3.0, 3.5, 4.0)]})
        )
        torch.testing.assert_close(one, model.denoiser(x, t, model.condition(values)), atol=1e-6, rtol=0)


def test_the_teacher_takes_no_part_in_training(model, student):
    teacher = Teacher(model, [Component("cfg", {"scale": 2.0})])
    assert not any(parameter.requires_grad for parameter in model.parameters())
    x, t, values = batch(model, SEEDS)
    assert not teacher.x0(x.requires_grad_(), t, teacher.tell(model, values, SEEDS)).requires_grad


@pytest.mark.parametrize(
    ("chain", "scales", "message"),
    [
        ([Component("cfg++", {"scale": 0.5})], None, "depends on the steps of a walk"),
        ([Component("apg", {"scale": 3.0})], (1.0, 4.0), "of 'cfg' alone"),
        ([Component("cfg", {"scale": 3.0, "rescale": 0.5})], (1.0, 4.0), "without rescale"),
    ],
)
def test_guidance_that_no_student_can_learn_is_refused(model, chain, scales, message):
    with pytest.raises(UsageError, match=message):
        Teacher(model, chain, scales)


def test_the_scale_is_read_within_its_range():
    conditioner = GuidanceScale(low=1.0, high=4.0)
    assert conditioner.parse("2.5") == [2.5]
    with pytest.raises(UsageError, match="this model was trained for 1 to 4"):
        conditioner.parse("5")
    assert not conditioner([[2.0]]).vector.any()
    with pytest.raises(UsageError, match="needs low < high"):
        GuidanceScale(low=2.0, high=2.0)


def test_a_ladder_with_a_range_ends_with_a_student_of_one_evaluation_a_step_at_any_scale(teacher, climb):
    ladder, _ = climb(
        "out", model=str(teacher), steps=2, guidance=(1.0, 3.0), start=4, limit=1e9, samples=8, rung_steps=6
    )
    assert [row.name for row in ladder.receipt.rungs] == ["01-match-4", "02-4-to-2"]
    student = polydiff.load(ladder.folder)
    rows = []
    student.backbone.register_forward_pre_hook(lambda _, arguments: rows.append(len(arguments[0])))
    usual, same, more = (
        student.generate(2, label="right", **each) for each in ({}, {"guidance": 1.5}, {"guidance": 3})
    )
    assert usual == same != more
    assert rows == [2] * 6


def test_learning_the_scale_makes_a_difference_to_the_student(teacher, climb):
    request = {"model": str(teacher), "steps": 8, "method": "match", "guidance": (1.0, 9.0), "limit": 1e9, "samples": 8}
    ladder, _ = climb("out", **request, start=8, rung_steps=150, overrides=("train.checkpoint.every=1000",))
    student, original = polydiff.load(ladder.folder), polydiff.load(teacher)
    seeds, values = Seeds(5, range(8)), {"label": [0, 1] * 4}
    for scale in (1.0, 9.0):
        x, y = student.sample(seeds, values, guidance=scale), original.sample(seeds, values, guidance=scale)
        other = original.sample(seeds, values, guidance=10.0 - scale)
        assert (x - y).square().mean() < (x - other).square().mean()
