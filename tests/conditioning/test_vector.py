import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polydiff.conditioning.vector import MEASURED, Vector
from polydiff.core.condition import ConditionDims
from polydiff.data.example import Example
from polydiff.errors import DataError, UsageError


class Measured:
    """A source of examples with one attribute, "size"."""

    classes = ()

    def __init__(self, values):
        self.values = values
        self.read = []

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        self.read.append(index)
        if self.values[index] == "unreadable":
            raise DataError("unreadable")
        return Example(None, str(index), attributes={"size": self.values[index]})


@pytest.fixture
def vector():
    torch.manual_seed(0)
    return Vector(size=2, mean=[10.0, -1.0], std=[2.0, 0.5], width=16, features=4)


def test_absent_numbers_give_exactly_zero_and_leave_the_others_alone(vector):
    mixed = vector([[11.0, 0.0], None, [9.0, -1.0]]).vector
    assert mixed.shape == (3, 16)
    assert vector.dims == ConditionDims(vector=16)
    assert (mixed[1] == 0).all()
    torch.testing.assert_close(mixed[[0, 2]], vector([[11.0, 0.0], [9.0, -1.0]]).vector)
    assert (vector([None]).vector == 0).all()


def test_numbers_are_standardised_before_anything_else(vector):
    torch.manual_seed(0)
    plain = Vector(size=2, width=16, features=4)
    torch.testing.assert_close(vector([[12.0, -1.5]]).vector, plain([[1.0, -1.0]]).vector)


def test_features_are_the_number_its_sines_and_its_cosines():
    vector = Vector(width=5, features=4)
    torch.nn.init.eye_(vector.first.weight)
    torch.nn.init.zeros_(vector.first.bias)
    torch.nn.init.eye_(vector.second.weight)
    torch.nn.init.zeros_(vector.second.bias)
    z = 0.3
    waves = [math.sin(2 * math.pi * z / 16), math.sin(2 * math.pi * z / 0.5)]
    waves += [math.cos(2 * math.pi * z / 16), math.cos(2 * math.pi * z / 0.5)]
    expected = torch.nn.functional.silu(torch.tensor([[z, *waves]]))
    torch.testing.assert_close(vector([[z]]).vector, expected)


def test_mean_and_deviation_are_options_and_not_weights(vector):
    assert set(vector.state_dict()) == {"first.weight", "first.bias", "second.weight", "second.bias"}


def test_size_mean_and_deviation_are_measured_where_the_fact_is_known():
    source = Measured([[1.0, 5], None, "unreadable", [3.0, 5]])
    assert Vector.options_from(source, "size", {"width": 8, "mean": None}) == {
        "width": 8,
        "size": 2,
        "mean": [2.0, 5.0],
        "std": [1.0, 1.0],
    }


def test_what_the_recipe_gives_is_not_measured():
    source = Measured([1.0, 3.0])
    options = Vector.options_from(source, "size", {"std": [4.0]})
    assert (options["mean"], options["std"]) == ([2.0], [4.0])
    untouched = Measured([1.0])
    assert Vector.options_from(untouched, "size", {"mean": [0.0, 0.0], "std": [1.0, 1.0]})["size"] == 2
    assert untouched.read == []


def test_measuring_reads_some_thousands_of_examples_spread_evenly():
    source = Measured([float(i) for i in range(3 * MEASURED)])
    options = Vector.options_from(source, "size", {})
    assert source.read == list(range(0, 3 * MEASURED, 3))
    assert options["mean"][0] == pytest.approx(1.5 * MEASURED, rel=1e-3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([None, None], "no example has the fact 'size' or any other"),
        ([1.0, [1.0, 2.0]], "an example has 2 numbers as its 'size', while another has 1"),
        (["large"], "'large' is neither a finite number"),
        ([math.nan], "nan is neither a finite number"),
        ([[]], "neither a finite number"),
    ],
)
def test_data_without_usable_numbers_are_refused(values, words):
    with pytest.raises(DataError, match=words):
        Vector.options_from(Measured(values), "size", {})


def test_data_of_another_size_than_the_recipe_says_are_refused():
    with pytest.raises(DataError, match=r"an example has 1 numbers as its 'size', while conditions\.size\.size says 2"):
        Vector.options_from(Measured([1.0]), "size", {"size": 2})


def test_size_is_that_of_the_means_where_it_is_left_out():
    assert Vector(mean=[1.0, 2.0], std=[1.0, 1.0]).size == 2
    assert Vector().size == 1


def test_example_gives_a_number_or_several(vector):
    assert vector.prepare([1, 2.5]) == [1.0, 2.5]
    assert vector.prepare(None) is None
    assert Vector().prepare(True) == [1.0]
    for wrong in (1.0, [1, 2, 3], "1", [1, math.inf]):
        with pytest.raises(DataError):
            vector.prepare(wrong)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_parsed_as_they_are_printed(a, b):
    assert Vector(size=2, width=1, features=2).parse(f"{a}, {b}") == [a, b]


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "1,nan", "1,inf", "1;2"])
def test_text_of_no_numbers_is_refused_with_an_example(vector, text):
    with pytest.raises(UsageError, match="is not 2 numbers, such as 10,-1"):
        vector.parse(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 0}, "size >= 1"),
        ({"size": 2, "mean": [1.0]}, "one mean"),
        ({"std": [0.0]}, "std > 0"),
        ({"mean": [], "std": []}, "one mean"),
        ({"width": 0}, "got 0 and 32"),
        ({"features": 3}, "got 128 and 3"),
    ],
)
def test_vector_refuses_options_out_of_range(options, words):
    with pytest.raises(UsageError, match=words):
        Vector(**options)


def test_a_list_is_several_numbers_in_turn_or_one_value_of_several():
    assert Vector().split("57, 60.5") == ["57", "60.5"]
    assert Vector(size=2).split("1,2") == ["1,2"]


def test_a_value_is_described_as_it_is_parsed():
    assert Vector().describe([60.03125]) == "60.03"
    assert Vector(size=2).parse(Vector(size=2).describe([1.5, -2.0])) == [1.5, -2.0]
