"""From what is asked for to rungs and their recipes."""

import pytest

import polydiff
from polydiff.distillation.plan import plan
from polydiff.distillation.request import Request
from polydiff.errors import UsageError


def planned(folder, **request):
    return plan(Request(model=str(folder), **{"steps": 2, **request}))


def names(made):
    return [rung.name for rung in made.rungs]


def test_the_first_teacher_has_as_many_steps_as_usual_or_the_next_that_halving_leads_down_from(teacher):
    assert names(planned(teacher)) == ["8-to-4", "4-to-2"]
    assert names(planned(teacher, steps=3)) == ["12-to-6", "6-to-3"]
    assert names(planned(teacher, steps=8)) == ["16-to-8"]
    assert names(planned(teacher, start=6, steps=3)) == ["6-to-3"]
    assert names(planned(teacher, overrides=("sample.steps=20",))) == ["32-to-16", "16-to-8", "8-to-4", "4-to-2"]


def test_every_second_time_of_the_models_own_grid_is_kept(teacher):
    made = planned(teacher, overrides=("sample.grid={name: karras, rho: 3}",))
    times = made.rungs[0].method.options["times"]
    expected = polydiff.sampling.grid.time_grid("karras", made.teacher.denoiser.schedule, 8, rho=3).tolist()
    assert times == expected
    assert made.rungs[1].times == (*expected[::4],)


def test_the_recipe_of_a_rung_is_the_teachers_with_what_distilling_changes(teacher):
    made = planned(teacher, rung_steps=40, overrides=("train.batch=4", "train.optimizer.lr=0.002"))
    recipe = made.recipe_of(0, teacher / "model", 3.0)
    assert (recipe.train.batch, recipe.train.optimizer.lr, recipe.train.optimizer.decay) == (4, 0.002, "linear")
    assert (recipe.train.steps, recipe.train.max_minutes, recipe.objective.weighting.name) == (40, 3.0, "constant")
    assert (recipe.sample.sampler.name, recipe.sample.steps) == ("ddim", 4)
    assert [each.name for each in recipe.distill.guidance] == ["cfg"]
    assert recipe.distilled.scales == (1.5, 1.5)
    assert recipe.data == made.recipe.data


def test_eps_becomes_v_and_is_matched_first(train_run):
    made = planned(train_run("eps", "prediction=eps", "schedule=linear", "train.steps=2"))
    assert names(made) == ["match-8", "8-to-4", "4-to-2"]
    assert made.recipe_of(0, made.teacher.folder, None).prediction.name == "v"


def test_another_backbone_or_a_range_of_guidance_is_matched_first(teacher):
    assert names(planned(teacher, overrides=("backbone.width=4",)))[0] == "match-8"
    assert names(planned(teacher, guidance=(1.0, 2.0)))[0] == "match-8"
    assert names(planned(teacher, guidance=2.0))[0] == "8-to-4"


def test_a_model_folder_alone_needs_to_be_told_of_data(teacher, tmp_path):
    model = (teacher / "model").rename(tmp_path / "alone")
    with pytest.raises(UsageError, match=r"alone has no recipe that says what it learnt from: give a run folder"):
        planned(model)
    made = planned(model, overrides=("data.source=ramps", "train.steps=10", "train.batch=4"))
    assert made.recipe_of(0, model, None).data.source.name == "ramps"


@pytest.mark.parametrize(
    ("request_of", "message"),
    [
        ({"start": 7}, "7 steps are not a multiple of 2; the nearest number that is is 8"),
        ({"start": 2}, "2 steps are not more than the student's 2; the least are --from 4"),
        ({"guidance": (3.0, 1.0)}, "needs MIN < MAX"),
        ({"guidance": (1.0, float("inf"))}, "takes finite scales from 0 up, of which 1 is plain; not 1:inf"),
        ({"guidance": -2.0}, "takes finite scales from 0 up, of which 1 is plain; not -2"),
        ({"guidance": float("nan")}, "not nan"),
        ({"method": "{name: flow-map, anchored: 2}"}, "^'flow-map' takes anchored, a share, from 0 to 1, not 2$"),
        ({"method": "{name: consistency, gap: [0.2, 0.5]}"}, r"^'consistency' takes a gap .* not \[0.2, 0.5\]$"),
        ({"method": "{name: consistency, c: .inf}"}, "^'consistency' takes a finite c > 0, not inf$"),
        ({"method": "{name: match, features: -1}"}, "^'match' takes finite features >= 0, not -1$"),
        ({"method": "{name: match"}, "^--method: not YAML"),
        ({"method": "progresive"}, "unknown distillation method 'progresive'"),
        ({"samples": 2}, "its receipt 4 samples"),
        ({"limit": 0.0}, "--limit"),
        ({"limit": float("nan")}, "--limit"),
    ],
)
def test_what_cannot_be_is_refused(teacher, request_of, message):
    with pytest.raises(UsageError, match=message):
        planned(teacher, **request_of)


def test_an_unknown_method_is_refused_before_the_model_is_read(tmp_path):
    with pytest.raises(UsageError, match="unknown distillation method 'consistensy'; did you mean 'consistency'"):
        planned(tmp_path / "nowhere", method="consistensy")


def test_guidance_that_no_student_can_learn_is_refused_before_any_data_are_read(teacher):
    walks = "sample.guidance=[{name: apg, scale: 2.0, momentum: -0.5}]"
    with pytest.raises(UsageError, match="guidance that depends on the steps of a walk"):
        planned(teacher, overrides=(walks,))


def test_guidance_is_for_models_with_conditions(train_run):
    with pytest.raises(UsageError, match="--guidance is for models with conditions"):
        planned(train_run("plain", "conditions={}", "sample.guidance=[]", "train.steps=2"), guidance=2.0)
