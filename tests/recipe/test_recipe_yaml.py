import math
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polydiff.errors import RecipeError
from polydiff.recipe.yaml import DEPTH, parse, plain_scalar


def read(text):
    return parse(text, lambda line: f"r.yaml:{line}")[0]


def refusal(text):
    with pytest.raises(RecipeError) as caught:
        read(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5e+3", -1500.0),
        ("010", 10),
        ("+3", 3),
        ("0x10", 16),
        ("0o17", 15),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
    ],
)
def test_scalar_of_the_core_schema(text, value):
    result = plain_scalar(text)
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    "text", ["on", "off", "yes", "no", "y", "1_000", "2024-01-01", "12:30:45", "1e", "e5", ".", "-", "0b11", "0x", "<<"]
)
def test_scalar_that_other_versions_of_yaml_take_for_something_else_is_a_text(text):
    assert plain_scalar(text) == text


@pytest.mark.parametrize("text", [".nan", ".NaN", "1e999", "-1e999", "9" * 5000])
def test_number_that_is_none_is_refused_where_it_stands(text):
    message = refusal(f"a: 1\nb: {text}\n")
    assert message.startswith("r.yaml:2: ")
    assert len(message) < 200


@pytest.mark.parametrize("text", ["on", "1e-4", "010", "null", "true", "a: b", "&x", "*x", "!!int 3", "# no", "- 1"])
def test_quoted_scalar_is_a_text_whatever_it_looks_like(text):
    assert read(f"a: '{text}'\nb: \"{text}\"\n") == {"a": text, "b": text}


def test_values_remember_where_they_stand():
    text = "a: 1\nb:\n  c: [x,\n      y]\n\n  # a comment\n  d: {e: 1}\n"
    data, locations = parse(text, lambda line: f"r.yaml:{line}")
    assert data == {"a": 1, "b": {"c": ["x", "y"], "d": {"e": 1}}}
    assert {path: int(place.removeprefix("r.yaml:")) for path, place in locations.items()} == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", 0): 3,
        ("b", "c", 1): 4,
        ("b", "d"): 7,
        ("b", "d", "e"): 7,
    }


def test_empty_document_is_null():
    assert read("") is read("# only a comment\n") is read("---\n") is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands twice; the first is at r.yaml:1"),
        ("a: {b: 1, b: 2}\n", 1, "the key 'b' stands twice"),
        ("a:\n\tb: 1\n", 2, "a tab cannot indent; use spaces"),
        ("a: [1, 2\n", 1, "expected ',' or ']'"),
        ("a:\n  - x\n  b: 1\n", 3, "expected <block end>"),
        ("a: b: c\n", 1, "mapping values are not allowed here"),
        ("a: 'b\n", 1, "unexpected end of stream"),
        ("x: 1\na: &anchor [1]\n", 2, "anchors and aliases"),
        ("x: 1\na: *nothing\n", 2, "anchors and aliases"),
        ("&a k: 1\n", 1, "anchors and aliases"),
        ("a: !!int '3'\n", 1, "tags"),
        ("a: ! 3\n", 1, "tags"),
        ("a: !!set {b}\n", 1, "tags"),
        ("a: 1\n---\nb: 2\n", 2, "a second document starts here"),
        ("%YAML 1.1\n---\na: on\n", 2, "recipes are YAML 1.2"),
        ("1: a\n", 1, "a key must be a text; quote it"),
        ("a: 1\n[b]: 1\n", 2, "a key must be a text"),
        ("a: 1\nb: \x01\n", 2, "U+0001"),
        ('a: "\\ud800"\n', 1, "surrogate"),
        ("[" * (DEPTH + 2), 1, f"nested deeper than {DEPTH} levels"),
    ],
)
def test_document_that_is_refused_says_the_line(text, line, words):
    message = refusal(text)
    assert message.startswith(f"r.yaml:{line}: ")
    assert words in message


def test_version_1_2_may_be_declared():
    assert read("%YAML 1.2\n---\na: on\n") == {"a": "on"}


def test_bomb_of_aliases_does_not_go_off():
    rows = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 20)]
    assert "r.yaml:1: anchors and aliases" in refusal("\n".join(rows))


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!<tag:yaml.org,2002:python/object/apply:os.mkdir>"])
def test_tag_that_would_make_an_object_is_refused_and_never_followed(tag, tmp_path):
    made = tmp_path / "made"
    assert "tags" in refusal(f"a: {tag} ['{made}']\n")
    assert not os.path.lexists(made)


@given(st.text(alphabet=st.sampled_from("ab01 .:,-[]{}'\"\n\t#&*!|>%@?~\\\x85\ufeffé")) | st.text())
@example("? ")
@example("- : ")
@example("%TAG ! tag:x,2000:\n---\na")
def test_any_text_is_data_or_a_refusal_in_one_line(text):
    try:
        data = read(text)
    except RecipeError as error:
        assert str(error).startswith("r.yaml:")
        assert len(str(error).splitlines()) == 1
    else:
        assert data is None or isinstance(data, bool | int | float | str | list | dict)
