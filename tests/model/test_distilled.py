"""What a distilled model takes and what it refuses."""

import pytest

from polydiff.errors import UsageError
from polydiff.model.distilled import SCALE
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.schema import DistilledConfig, RungConfig, SampleConfig

RUNG = RungConfig(method="progressive", teacher="0" * 64, steps=2, loss=0.5)
CFG = Component("cfg", {"scale": 1.5, "interval": [0.0, 0.5], "rescale": 0.0})
GRID = Component("times", {"times": [1.0, 0.4, 0.0]})
SAMPLE = SampleConfig(sampler=Component("ddim", {"eta": 0.0}), steps=2, grid=GRID, guidance=[CFG])


@pytest.fixture
def student(toy_model):
    """A student with guidance 1.5 built in, or one that is told its scale."""

    def make(scales=(1.5, 1.5), **changes):
        low, high = scales
        told = ConditionConfig("guidance-scale", {"low": low, "high": high, "width": 8}) if low < high else None
        label = ConditionConfig("class", {"classes": ["a", "b"], "width": 8})
        distilled = DistilledConfig(samplers=["ddim", "ddpm"], scales=scales, rungs=[RUNG], **changes)
        conditions = {"label": label, **({SCALE: told} if told else {})}
        return toy_model("a", "b", sample=SAMPLE, distilled=distilled, conditions=conditions)

    return make


def test_it_is_sampled_at_its_own_times_without_being_guided_again(student):
    model = student()
    rows = []
    model.backbone.register_forward_pre_hook(lambda _, arguments: rows.append(len(arguments[0])))
    plain = model.generate(3, label="a")
    assert rows == [3, 3]
    assert model.generate(3, label="a", guidance=1.5, sampler="ddim", steps=2) == plain
    assert model.generate(3, label="a", sampler="ddpm") != plain


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"steps": 3}, "distilled to 2 steps and takes no other number, such as 3"),
        ({"grid": "t"}, "distilled to 2 steps on a time grid of its own, not 't'"),
        ({"grid": "tuned"}, "distilled to 2 steps|no time grid|not loaded from any"),
        ({"sampler": "dpm++2m"}, "'dpm\\+\\+2m' cannot walk this distilled model; it is made for ddim, ddpm"),
        ({"guidance": 2.0}, "guidance 1.5 is built into this distilled model; it cannot be guided by 2"),
        ({"guidance": [Component("apg", {"scale": 1.5})]}, "takes a scale at most and nothing else"),
        ({"guidance": [CFG.with_options({"scale": 1.5})]}, "takes a scale at most and nothing else"),
        ({"negative": {"label": "b"}}, "never led away from anything else"),
    ],
)
def test_what_it_was_not_made_for_is_refused(student, asked, message):
    with pytest.raises(UsageError, match=message):
        student().generate(1, label="a", **asked)


def test_one_that_is_told_its_scale_takes_those_that_it_knows(student):
    model = student((1.0, 4.0))
    model.conditioners[SCALE].second.reset_parameters()
    usual = model.generate(2, label="a")
    assert model.generate(2, label="a", guidance=1.5) == usual
    assert model.generate(2, label="a", guidance=1) != usual != model.generate(2, label="a", guidance=4)
    for scale in (0.5, 4.5):
        with pytest.raises(UsageError, match=f"distilled for guidance from 1 to 4, not for {scale:g}"):
            model.generate(2, label="a", guidance=scale)


def test_one_that_is_right_at_all_times_takes_any_steps(student):
    model = student(times="any")
    assert model.generate(1, label="a", steps=5, grid="t")


def test_its_folder_remembers(student, tmp_path):
    import polydiff

    model = student((1.0, 4.0))
    model.save(tmp_path / "model")
    loaded = polydiff.load(tmp_path / "model")
    assert loaded.config.distilled == model.config.distilled
    assert "progressive" in (tmp_path / "model" / "README.md").read_text()


def test_samplers_are_not_compared_on_it(student):
    from polydiff.core.noise import Seeds
    from polydiff.tuning.problem import pose

    with pytest.raises(UsageError, match="a distilled model has no trajectories"):
        pose(student(), Seeds(0, range(2)), {"label": [0, 1]}, steps=16)
