from hypothesis import given
from hypothesis import strategies as st

from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.dump import dump
from polydiff.recipe.load import check, load_recipe
from polydiff.recipe.schema import (
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    Recipe,
    SampleConfig,
    TrainConfig,
    ValidationConfig,
)
from polydiff.recipe.yaml import parse

NUMBERS = ["1e-4", ".5e3", "010", "0o7", "0x1", "1_000", "1:2", "2024-01-01", ".inf", ".nan", "1e999", "9" * 500]
WORDS = ["", " ", "~", "null", "on", "no", "True", "- a", "a: b", "a #b", "#", "&a", "*a", "!!int 1", "'", '"', "---"]
CHARACTERS = ["a\nb", "\n", "\t", "\r", "\0", "é", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "\ufffe", "😀"]
texts = st.sampled_from(NUMBERS + WORDS + CHARACTERS) | st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8)
options = st.dictionaries(texts.filter(lambda key: key not in {"name", "dropout"}), values, max_size=4)
components = st.builds(Component, texts, options)
conditions = st.builds(ConditionConfig, texts, options, st.floats(0, 1))
counts = st.integers(1)

recipes = st.builds(
    Recipe,
    modality=texts,
    codec=components,
    backbone=components,
    conditions=st.dictionaries(texts.filter(lambda name: name and "." not in name), conditions, max_size=3),
    sample=st.builds(SampleConfig, sampler=components, grid=components, guidance=st.lists(components, max_size=2)),
    data=st.builds(
        DataConfig, source=components, validation=st.none() | components, augment=st.lists(components, max_size=2)
    ),
    train=st.builds(
        TrainConfig,
        steps=counts,
        batch=counts,
        clip=st.none() | st.floats(0, exclude_min=True, allow_infinity=False),
        optimizer=st.builds(OptimizerConfig, betas=st.tuples(*[st.floats(0, 1, exclude_max=True)] * 2)),
        validation=st.builds(ValidationConfig, patience=st.none() | counts),
        loggers=st.sampled_from([[], ["tensorboard"]]),
    ),
)


def read(schema, text):
    data, locations = parse(text, str)
    return check(schema, data, {(): "", **locations})


@given(recipes)
def test_dumped_recipe_reads_back_equal(recipe):
    text = dump(recipe)
    again = read(Recipe, text)
    assert again == recipe
    assert dump(again) == text


def test_dump_is_the_whole_recipe_in_the_order_of_the_schema(recipe_file):
    text = dump(load_recipe(recipe_file(), ["sample.guidance=[{name: cfg, interval: [0, 0.9]}]"]))
    assert text.startswith(
        """\
modality: toy
codec:
  name: squares
backbone:
  name: toy-net
  width: 8
conditions:
  label:
    name: class
    dropout: 0.1
schedule:
  name: cosine
prediction:
  name: v
flow_map: false
sample:
  sampler:
    name: dpm++2m
  steps: 20
  grid:
    name: half-log-snr
  guidance:
    - name: cfg
      interval: [0, 0.9]
distilled: null
data:
  source:
    name: grid
    path: pictures
"""
    )
    assert "betas: [0.9, 0.99]\n" in text
    assert "my.yaml" not in text


def test_dumped_model_configuration_reads_back_equal():
    config = ModelConfig(modality="toy", codec=Component("a"), backbone=Component("b", {"c": [1, 2.0]}))
    assert read(ModelConfig, dump(config)) == config
