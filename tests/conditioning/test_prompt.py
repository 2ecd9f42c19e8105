import pytest
from hypothesis import given
from hypothesis import strategies as st

from polydiff.conditioning.prompt import format_prompt, merged, parse_prompt
from polydiff.errors import UsageError

letters = st.text(st.sampled_from("ab :().5e1\\é\n")) | st.text()
weights = st.just(1.0) | st.floats(allow_nan=False, allow_infinity=False)
spans = st.lists(st.tuples(letters, weights)).map(merged)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red circle", [("a red circle", 1.0)]),
        ("a (red:1.3) circle", [("a ", 1.0), ("red", 1.3), (" circle", 1.0)]),
        ("(a red circle: .5 )", [("a red circle", 0.5)]),
        ("(one:2)(two:-1)", [("one", 2.0), ("two", -1.0)]),
        ("(a:b:1e-1)", [("a:b", 0.1)]),
        ("a cat (asleep), at 5:30 (am)", [("a cat (asleep), at 5:30 (am)", 1.0)]),
        (r"\(scale 1:2\)", [("(scale 1:2)", 1.0)]),
        (r"(a \(b\):2)", [("a (b)", 2.0)]),
        (r"C:\dir", [(r"C:\dir", 1.0)]),
        (r"\\(a:2)", [("\\", 1.0), ("a", 2.0)]),
        ("(red:1)", [("red", 1.0)]),
        ("", []),
    ],
)
def test_only_brackets_with_a_number_are_weights(prompt, expected):
    assert parse_prompt(prompt) == expected


@given(spans)
def test_what_is_written_is_read_again(spans):
    assert parse_prompt(format_prompt(spans)) == spans


@given(letters)
def test_any_text_is_a_prompt(text):
    spans = parse_prompt(text)
    assert parse_prompt(format_prompt(spans)) == spans


def test_a_weight_beyond_all_numbers_is_refused():
    with pytest.raises(UsageError, match="1e999; it must be finite"):
        parse_prompt("a (red:1e999) circle")
