"""Chains of guidances in a model: those of its recipe and of a caller, with and without conditions and other models."""

from dataclasses import replace

import pytest
import torch

import polydiff
from polydiff.core.noise import Seeds
from polydiff.errors import ModelError, UsageError
from polydiff.recipe.component import Component
from polydiff.recipe.schema import SampleConfig

SEEDS, VALUES = Seeds(0, [0, 1, 2]), {"label": [1, 0, 1]}


def sampled(model, denoiser, cond):
    x = polydiff.prior(model.denoiser.schedule, SEEDS, (1, 4, 4))
    return polydiff.sampler("dpm++2m").sample(denoiser, x, steps=4, cond=cond)


@pytest.fixture
def weaker(toy_config, tmp_path):
    """Save a narrower conditional model, whose label vectors are of another width; give its folder and itself."""
    from polydiff.model import Model

    def saved(*classes):
        torch.manual_seed(1)
        config = toy_config(*classes, backbone=Component("toy-net", {"width": 4}))
        if classes:
            label = config.conditions["label"]
            config = config.model_copy(
                update={"conditions": {"label": label.with_options({**label.options, "width": 6})}}
            )
        model = Model.from_config(config).eval()
        model.save(tmp_path / "weaker")
        return tmp_path / "weaker", model

    return saved


def test_a_chain_is_applied_from_the_innermost(toy_model):
    model = toy_model("a", "b")
    cond = model.condition(VALUES)
    chain = [Component("cfg", {"scale": 2.0}), Component("apg", {"scale": 3.0, "momentum": 0.0})]
    expected = polydiff.guidance("cfg", model.denoiser, scale=2.0)
    expected = polydiff.guidance("apg", expected, scale=3.0, momentum=0.0)
    assert torch.equal(model.sample(SEEDS, VALUES, guidance=chain), sampled(model, expected, cond))
    assert torch.equal(model.sample(SEEDS, VALUES, guidance=[]), sampled(model, model.denoiser, cond))


def test_a_weaker_model_is_told_in_its_own_way(toy_model, weaker):
    model, (folder, other) = toy_model("a", "b"), weaker("a", "b")
    auto = Component("autoguidance", {"weaker": str(folder), "scale": 2.0})
    x = model.sample(SEEDS, VALUES, guidance=[auto, Component("cfg", {"scale": 3.0})])

    class ByHand(polydiff.Denoiser):
        """cfg of autoguidance, each network with conditions of its own."""

        schedule = model.denoiser.schedule

        def forward(self, x_t, t, cond=None):
            def auto(ours, theirs):
                weak = other.denoiser(x_t, t, theirs)
                return weak + 2 * (model.denoiser(x_t, t, ours) - weak)

            c, u = auto(model.condition(VALUES), other.condition(VALUES)), auto(None, None)
            return u + 3 * (c - u)

    with torch.no_grad():
        torch.testing.assert_close(x, sampled(model, ByHand(), None), rtol=1e-4, atol=1e-4)


def test_a_weaker_model_serves_without_a_condition(toy_model, weaker):
    model, (folder, other) = toy_model(), weaker()
    auto = Component("autoguidance", {"weaker": str(folder), "scale": 2.0})
    expected = polydiff.guidance("autoguidance", model.denoiser, weaker=other.denoiser, scale=2.0)
    assert torch.equal(model.sample(SEEDS, guidance=[auto]), sampled(model, expected, None))
    in_the_recipe = toy_model(sample=SampleConfig(steps=4, guidance=[auto]))
    assert torch.equal(in_the_recipe.sample(SEEDS), sampled(model, expected, None))
    assert in_the_recipe.state_dict().keys() == model.state_dict().keys()  # it is no part of what is saved


@pytest.mark.parametrize(("ours", "theirs"), [(("a", "b"), ("b", "a")), (("a", "b"), ()), ((), ("a", "b"))])
def test_a_model_told_of_other_things_is_refused(toy_model, weaker, ours, theirs):
    model, (folder, _) = toy_model(*ours), weaker(*theirs)
    auto = Component("autoguidance", {"weaker": str(folder), "scale": 2.0})
    with pytest.raises(UsageError, match="is told of 'label' in another way"):
        model.sample(SEEDS, guidance=[auto])


def test_a_model_of_other_data_is_refused(toy_model, weaker, tmp_path):
    folder, _ = weaker("a", "b")
    model = toy_model("a", "b", codec=Component("squares", {"size": 6}))
    with pytest.raises(UsageError, match="is a model of other data"):
        model.sample(SEEDS, VALUES, guidance=[Component("autoguidance", {"weaker": str(folder), "scale": 2.0})])
    with pytest.raises(ModelError, match="no such model folder"):
        missing = {"weaker": str(tmp_path / "none"), "scale": 2.0}
        model.sample(SEEDS, VALUES, guidance=[Component("autoguidance", missing)])


def test_what_needs_a_condition_is_refused_without_one(toy_model):
    with pytest.raises(UsageError, match="guidance needs a condition"):
        toy_model().sample(SEEDS, guidance=[Component("apg", {"scale": 2.0})])


@pytest.mark.parametrize("name", ["classifier", "energy"])
def test_a_function_is_not_for_recipes(toy_model, name):
    with pytest.raises(UsageError, match="a function, which no recipe can give"):
        toy_model("a").sample(SEEDS, guidance=[Component(name, {"scale": 1.0})])


def test_conditions_of_others_follow_their_samples(toy_model):
    model = toy_model("a", "b")
    cond = replace(model.condition(VALUES), others={"x": model.condition({"label": [0, 0, 1]})})
    other = cond.others["x"].vector
    assert torch.equal(cond[torch.tensor([2, 0])].others["x"].vector, other[[2, 0]])
    assert not cond.null().others["x"].vector.any()
    both = polydiff.core.condition.concatenate([cond, cond.null()])
    assert torch.equal(both.others["x"].vector, torch.cat([other, torch.zeros_like(other)]))
