import pytest
import torch

from polydiff.core.noise import Seeds
from polydiff.core.windowed import Windowed
from polydiff.errors import RecipeError, UsageError
from polydiff.guidance.cfg import ClassifierFree
from polydiff.model import Model
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.load import check, read
from polydiff.recipe.schema import ModelConfig
from polydiff.sampling.dpmpp_2m import DPMpp2M
from polydiff.sampling.sampler import prior


def test_weights_have_their_parts_names(toy_model):
    names = {name.rpartition(".")[0] for name in toy_model("a", "b").state_dict()}
    assert {"codec", "denoiser.backbone.into", "denoiser.backbone.vector"} <= names
    assert all(name.split(".")[0] in {"codec", "denoiser", "conditioners"} for name in names)


def test_a_sample_is_what_the_recipes_sampler_makes_of_its_noise(toy_model):
    import polydiff
    from polydiff.sampling.sampler import prior

    model = toy_model()
    seeds = Seeds(3, [5, 0])
    x = prior(model.denoiser.schedule, seeds, (1, 4, 4))
    expected = polydiff.sampler("dpm++2m").sample(model.denoiser, x, steps=4)
    assert torch.equal(model.sample(seeds), expected)
    other = polydiff.sampler("ddim").sample(model.denoiser, x, steps=3, grid="t")
    assert torch.equal(model.sample(seeds, sampler="ddim", steps=3, grid="t"), other)


def test_a_scale_replaces_the_recipes(toy_model):
    import polydiff

    model = toy_model("a", "b")
    seeds, values = Seeds(0, [0, 1]), {"label": [1, 0]}
    cond = model.condition(values)
    guided = polydiff.guidance("cfg", model.denoiser, scale=3.5)
    x = seeds.normal((1, 4, 4), stream=0)
    expected = polydiff.sampler("dpm++2m").sample(guided, x, steps=4, cond=cond)
    assert torch.equal(model.sample(seeds, values, guidance=3.5), expected)
    assert not torch.equal(model.sample(seeds, values), expected)


def test_generate_cycles_conditions_by_the_samples_number(toy_model):
    model = toy_model("a", "b", "c")
    every = model.generate(7, label="all", seed=1)
    assert len(every) == 7
    part = model.generate(2, label="a,b,c", seed=1, first=4, batch=1)
    torch.testing.assert_close(torch.tensor(part), torch.tensor(every[4:6]), rtol=0, atol=1e-5)
    alone = model.generate(1, label="b", seed=1, first=4)
    torch.testing.assert_close(torch.tensor(alone), torch.tensor(every[4:5]), rtol=0, atol=1e-5)
    assert model.generate(2, label=["c", "a"]) == model.generate(2, label="c,a")


def test_numbers_count_as_their_text(toy_model):
    model = toy_model("0", "1")
    assert model.generate(1, label=1) == model.generate(1, label="1") != model.generate(1, label=[0])


def test_generate_takes_a_size(toy_model):
    (content,) = toy_model().generate(1, size="6x2")
    assert torch.tensor(content).shape == (6, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": "5x4"}, "6x4"),
        ({"size": "large"}, "4x4"),
        ({"label": "aq"}, "aq"),
        ({"lable": "a"}, "did you mean 'label'"),
        ({"sampler": "ddin"}, "did you mean 'ddim'"),
        ({"grid": "half-log-snrs"}, "did you mean 'half-log-snr'"),
        ({"guidance": 3.0}, "needs a condition.* label"),
        ({"steps": 0}, "at least one step"),
        ({"first": -1}, "-1"),
        ({"seed": -1}, "-1"),
        ({"seed": 1 << 64}, "64"),
        ({"batch": 0}, "at least one"),
        ({"label": []}, "no value"),
    ],
)
def test_generate_refuses_what_it_cannot_do(toy_model, wrong, message):
    with pytest.raises(UsageError, match=message):
        toy_model("a", "b").generate(2, **wrong)


def test_an_unconditional_model_takes_no_label(toy_model):
    with pytest.raises(UsageError, match="without any"):
        toy_model().generate(1, label="a")


def test_eps_is_refused_where_nothing_is_left_of_the_data(toy_config, tmp_path):
    file = tmp_path / "model.yaml"
    file.write_text("modality: toy\ncodec: squares\nbackbone: toy-net\nprediction: eps\nschedule: cosine\n")
    with pytest.raises(RecipeError, match=r"model.yaml:4: prediction: .*'v'"):
        Model.from_config(check(ModelConfig, *read(file)))


def test_eps_serves_where_some_data_is_left(toy_model):
    assert toy_model(prediction=Component("eps"), schedule=Component("linear")).generate(1)


@pytest.mark.parametrize("name", ["training", "type", "values"])
def test_a_condition_cannot_have_a_name_of_torchs(toy_config, name):
    with pytest.raises(UsageError, match="torch keeps this name"):
        Model.from_config(toy_config(conditions={name: ConditionConfig("class", {"classes": ["a"]})}))


def test_conditions_that_are_not_named_are_unconditional_and_strange_ones_are_refused(toy_config):
    label = ConditionConfig("class", {"classes": ["a", "b"], "width": 8})
    model = Model.from_config(toy_config(conditions={"label": label, "style": label}))
    named = model.condition({"style": [1, None]})
    assert torch.equal(named.vector, model.condition({"style": [1, None], "label": [None, None]}).vector)
    assert torch.equal(named.vector[1], torch.zeros(8))
    with pytest.raises(UsageError, match="unknown condition 'stlye'; did you mean 'style'"):
        model.condition({"stlye": [1]})


def test_conditions_share_the_widths_of_their_vectors(toy_config):
    conditions = {
        "label": ConditionConfig("class", {"classes": ["a"], "width": 8}),
        "kind": ConditionConfig("class", {"classes": ["a"], "width": 16}),
    }
    with pytest.raises(UsageError, match=r"16.*8"):
        Model.from_config(toy_config(conditions=conditions))


def test_what_is_longer_than_a_codecs_window_is_sampled_in_windows(toy_model, toy, monkeypatch):
    monkeypatch.setattr(toy.Squares, "windowed", True)
    model = toy_model("a", "b")
    shape = (1, 4, 10)
    cond = {"label": [0, 1]}
    x = model.sample(Seeds(0, range(2)), cond, shape=shape)
    guided = ClassifierFree(Windowed(model.denoiser, 4), scale=2.0)
    start = prior(model.denoiser.schedule, Seeds(0, range(2)), shape, model.device)
    with torch.no_grad():
        expected = DPMpp2M().sample(guided, start, steps=4, cond=model.condition(cond))
    assert torch.equal(x, expected)
    monkeypatch.setattr(toy.Squares, "windowed", False)
    assert not torch.allclose(model.sample(Seeds(0, range(2)), cond, shape=shape), x)
