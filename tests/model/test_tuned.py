import json

import pytest
import torch

from polydiff.core.noise import Seeds
from polydiff.errors import ModelError, UsageError
from polydiff.model import load
from polydiff.model.tuned import FILE, TunedGrid, add, read
from polydiff.recipe.component import Component

TIMES = (1.0, 0.7, 0.2, 0.0)


@pytest.fixture
def model(toy_model, tmp_path):
    toy_model().save(tmp_path / "model")
    return load(tmp_path / "model")


def grid(model, times=TIMES, **sampler):
    return TunedGrid(sampler=sampler or {"name": "dpm++2m"}, times=times, model=model.sha256, figures={"error": 0.1})


def test_the_grid_tuned_for_the_sampler_and_the_steps_is_used(model):
    add(model.folder, grid(model))
    add(model.folder, grid(model, (1.0, 0.4, 0.0)))
    add(model.folder, grid(model, (1.0, 0.5, 0.4, 0.0), name="ddim", eta=0.0))
    seeds = Seeds(0, [0, 1])
    expected = model.sample(seeds, steps=3, grid=Component("times", {"times": list(TIMES)}))
    assert torch.equal(model.sample(seeds, steps=3, grid="tuned"), expected)
    assert model.settings(steps=2, grid="tuned").grid == Component("times", {"times": [1.0, 0.4, 0.0]})
    assert model.settings(sampler="ddim", steps=3, grid=Component("tuned")).grid.options["times"][1] == 0.5


def test_one_for_the_same_takes_its_place(model):
    add(model.folder, grid(model))
    add(model.folder, grid(model, (1.0, 0.6, 0.1, 0.0)))
    (only,) = read(model.folder)
    assert only == grid(model, (1.0, 0.6, 0.1, 0.0))
    load(model.folder)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"steps": 4}, "no time grid is tuned for dpm\\+\\+2m with 4 steps, there is dpm\\+\\+2m with 3 steps"),
        ({"steps": 3, "sampler": "ddim"}, "no time grid is tuned for ddim \\(eta 0.0\\) with 3 steps"),
        ({"steps": 3, "grid": Component("tuned", {"rho": 3})}, "unknown time grid 'tuned'"),
    ],
)
def test_a_grid_tuned_for_something_else_is_refused(model, wanted, message):
    add(model.folder, grid(model))
    with pytest.raises(UsageError, match=message):
        model.settings(**{"grid": "tuned", **wanted})


def test_a_grid_of_other_weights_is_refused(model):
    add(model.folder, grid(model))
    model.sha256 = "0" * 64
    with pytest.raises(UsageError, match="of other weights"):
        model.settings(steps=3, grid="tuned")


def test_a_model_that_was_not_loaded_has_none(toy_model):
    with pytest.raises(UsageError, match="not loaded"):
        toy_model().settings(grid="tuned")


def entry(**changes):
    return {"sampler": {"name": "ddim"}, "times": list(TIMES), "model": "0", "figures": {}, **changes}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 1, "grids": [1]}',
        *(
            json.dumps({"format": 1, "grids": [entry(**wrong)]})
            for wrong in (
                {"times": [1, 0.5]},
                {"times": [1, 0.5, 0.6, 0]},
                {"times": [1, float("nan"), 0]},
                {"times": ["a", 0]},
                {"times": []},
                {"times": None},
                {"sampler": {}},
                {"sampler": "ddim"},
                {"more": 1},
            )
        ),
    ],
)
def test_a_damaged_file_is_refused_only_where_it_is_needed(model, content):
    (model.folder / FILE).write_text(content)
    with pytest.raises(ModelError, match="is damaged"):
        model.settings(steps=3, grid="tuned")
    load(model.folder).settings(steps=3, grid="t")


def test_a_newer_format_is_refused(model):
    (model.folder / FILE).write_text('{"format": 99, "grids": []}')
    with pytest.raises(ModelError, match="upgrade polydiff"):
        read(model.folder)


def test_a_file_elsewhere_is_not_read(model, tmp_path):
    (tmp_path / "elsewhere.json").write_text('{"format": 1, "grids": []}')
    (model.folder / FILE).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ModelError, match="leads outside the folder"):
        read(model.folder)
