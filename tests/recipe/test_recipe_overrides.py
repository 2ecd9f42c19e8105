import copy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polydiff.errors import RecipeError, UsageError
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.load import check, load_recipe
from polydiff.recipe.overrides import apply
from polydiff.recipe.schema import Recipe


def set_in(data, *overrides):
    data = copy.deepcopy(data)
    locations = apply(data, {(): "my.yaml"}, overrides, Recipe)
    return data, locations


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5000", 5000),
        ("1e-4", 1e-4),
        ("010", 10),
        ("on", "on"),
        ("'5'", "5"),
        ("null", None),
        ("", None),
        ("[1, 2]", [1, 2]),
        ("{name: cfg, scale: 2}", {"name": "cfg", "scale": 2}),
        ("a=b", "a=b"),
        ("5 # five", 5),
    ],
)
def test_value_is_read_as_in_a_file(text, value):
    data, _ = set_in({"backbone": {"name": "net"}}, f"backbone.option={text}")
    assert data == {"backbone": {"name": "net", "option": value}}


def test_override_makes_the_sections_that_are_left_out(recipe_file):
    recipe = load_recipe(recipe_file(), ["train.optimizer.lr=0.5", "train.validation.patience=3"])
    assert (recipe.train.optimizer.lr, recipe.train.validation.patience) == (0.5, 3)


def test_later_override_wins(recipe_file):
    assert load_recipe(recipe_file(), ["train.steps=5", "train.steps=6"]).train.steps == 6


def test_option_reaches_a_component_that_is_only_a_name(recipe_file):
    recipe = load_recipe(recipe_file(), ["codec.size=6", "conditions.label.dropout=0.5", "data.augment.0.p=1"])
    assert recipe.codec == Component("squares", {"size": 6})
    assert recipe.conditions == {"label": ConditionConfig("class", dropout=0.5)}
    assert recipe.data.augment == [Component("flip", {"p": 1}), Component("crop", {"p": 0.5})]


def test_option_of_a_component_that_is_left_out_goes_to_the_default_one(recipe_file):
    recipe = load_recipe(recipe_file(), ["sample.sampler.order=1", "schedule.s=0.1"])
    assert recipe.sample.sampler == Component("dpm++2m", {"order": 1})
    assert recipe.schedule == Component("cosine", {"s": 0.1})


@pytest.mark.parametrize("override", ["backbone.name=other", "backbone=other"])
def test_another_name_drops_the_options_of_the_old_component(recipe_file, override):
    assert load_recipe(recipe_file(), [override]).backbone == Component("other")


def test_the_same_name_keeps_the_options(recipe_file):
    assert load_recipe(recipe_file(), ["backbone.name=toy-net"]).backbone == Component("toy-net", {"width": 8})


def test_options_of_the_new_component_follow_its_name(recipe_file):
    recipe = load_recipe(recipe_file(), ["backbone.name=other", "backbone.depth=3"])
    assert recipe.backbone == Component("other", {"depth": 3})


def test_another_conditioner_keeps_the_dropout_which_is_not_its_own(recipe_file):
    path = recipe_file(label="label: {name: class, dropout: 0.3, width: 4} #")
    recipe = load_recipe(path, ["conditions.label.name=vector"])
    assert recipe.conditions == {"label": ConditionConfig("vector", dropout=0.3)}


def test_whole_list_is_replaced(recipe_file):
    recipe = load_recipe(recipe_file(), ["sample.guidance=[{name: cfg, scale: 2}]", "data.augment=[]"])
    assert recipe.sample.guidance == [Component("cfg", {"scale": 2})]
    assert recipe.data.augment == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stepz=5", "train.stepz: unknown key; did you mean 'steps'?"),
        ("trian.steps=5", "trian: unknown key; did you mean 'train'?"),
        ("train.steps=5.0", "train.steps: must be a whole number, not 5.0"),
        ("train.steps.more=5", "train.steps: is 100, which has no keys"),
        ("data.augment.2.p=5", "data.augment: no item '2' in a list of 2; the first is 0"),
        ("data.augment.x=5", "data.augment: no item 'x' in a list of 2; the first is 0"),
        ("data.validation.path=x", "data.validation.name: missing"),
        ("codec=!!python/none x", "tags "),
        ("codec=[", "not YAML: "),
        ("codec=\n- a\n-b: [", "not YAML: "),
    ],
)
def test_wrong_override_is_named(recipe_file, override, message):
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file(), [override])
    assert str(caught.value).startswith(f"override {override!r}: {message}")


def test_override_does_not_take_the_blame_for_its_neighbours(recipe_file):
    path = recipe_file(steps="stepz: 5\n  steps:")
    with pytest.raises(RecipeError, match=r"^my\.yaml:12: train\.stepz: unknown key"):
        load_recipe(path, ["train.batch=3"])


def test_override_mends_what_the_file_has_wrong(recipe_file):
    assert load_recipe(recipe_file(steps="steps: none\n  #"), ["train.steps=7"]).train.steps == 7


@pytest.mark.parametrize("override", ["", "train.steps", "=5", "train.=5", ".steps=5", "train..steps=5"])
def test_override_of_no_known_form_is_a_usage_error(recipe_file, override):
    with pytest.raises(UsageError, match="write KEY=VALUE"):
        load_recipe(recipe_file(), [override])


keys = st.lists(st.text("abcxyz_-", min_size=1, max_size=9), min_size=1, max_size=4)


@given(keys, st.integers(-5, 5), st.integers())
def test_what_is_set_is_there_and_says_where_it_came_from(path, before, value):
    override = f"{'.'.join(path)}={value}"
    data, locations = set_in({"kept": before}, override)
    assert data.pop("kept") == before
    for key in path[:-1]:
        data = data[key]
    assert data == {path[-1]: value}
    assert locations[tuple(path)] == f"override {override!r}"


@given(st.text() | st.builds("{}={}".format, st.from_regex(r"[a-z\n.]+", fullmatch=True), st.text()))
@example("train.steps=" + 1000 * "9")
def test_any_text_is_an_override_or_refused_as_one(text):
    said = f"override {text!r}: " if len(text) <= 80 else f"override {text[:77] + '...'!r}: "
    try:
        data, locations = set_in({"train": {"steps": 5}, "data": {"augment": ["flip"]}}, text)
        check(Recipe, data, locations)
    except (RecipeError, UsageError) as error:
        assert str(error).startswith((said, "my.yaml: "))
        assert len(str(error).splitlines()) == 1
