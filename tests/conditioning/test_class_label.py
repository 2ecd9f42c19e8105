import pytest
import torch

from polydiff.conditioning.class_label import ClassLabel
from polydiff.core.condition import ConditionDims
from polydiff.data.example import Example
from polydiff.errors import DataError, UsageError


class Labelled:
    """A source of examples with labels and one attribute."""

    def __init__(self, labels, kinds=(), classes=None):
        self.examples = [
            Example(None, str(i), label, attributes={"kind": kind} if kind is not None else {})
            for i, (label, kind) in enumerate(zip(labels, kinds or [None] * len(labels), strict=True))
        ]
        self.classes = classes if classes is not None else sorted({label for label in labels if label is not None})

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        example = self.examples[index]
        if example.label == "unreadable":
            raise DataError(f"{example.name}: unreadable")
        return example


@pytest.fixture
def conditioner():
    torch.manual_seed(0)
    return ClassLabel(classes=["cat", "dog", "7"], width=64)


def test_vector_is_the_classes_own_and_zero_where_the_class_is_not_known(conditioner):
    condition = conditioner([2, None, 0, 0])
    assert condition.vector.shape == (4, 64)
    assert conditioner.dims == ConditionDims(vector=64)
    torch.testing.assert_close(condition.vector[0], conditioner.table.weight[2], rtol=0, atol=0)
    torch.testing.assert_close(condition.vector[2:], conditioner.table.weight[[0, 0]], rtol=0, atol=0)
    assert (condition.vector[1] == 0).all()
    assert condition.tokens is condition.channels is None


def test_batch_without_any_known_class_is_zero(conditioner):
    assert (conditioner([None, None]).vector == torch.zeros(2, 64)).all()


def test_unknown_class_teaches_nothing(conditioner):
    conditioner([1, None]).vector.sum().backward()
    assert conditioner.table.weight.grad.abs().sum(1).tolist() == [0.0, 64.0, 0.0]


def test_vectors_start_on_the_scale_of_the_sines_and_cosines_of_time():
    torch.manual_seed(0)
    table = ClassLabel(classes=[str(i) for i in range(100)], width=100).table.weight
    assert table.square().mean().item() == pytest.approx(0.5, rel=0.05)


def test_example_and_user_say_the_class_by_its_name(conditioner):
    assert [conditioner.prepare(value) for value in ("cat", "dog", 7, None)] == [0, 1, 2, None]
    assert [conditioner.parse(text) for text in ("cat", "dog", "7")] == [0, 1, 2]


def test_class_that_there_is_not_is_refused_with_the_nearest(conditioner):
    with pytest.raises(UsageError, match=r"^unknown class 'cta'; did you mean 'cat'\?$"):
        conditioner.parse("cta")
    with pytest.raises(DataError, match=r"^unknown class 'dogg'; did you mean 'dog'\?$"):
        conditioner.prepare("dogg")


def test_classes_come_from_the_data_in_its_order():
    source = Labelled(["b", "a", None], classes=["b", "a"])
    assert ClassLabel.options_from(source, "label", {"width": 8, "classes": None}) == {
        "width": 8,
        "classes": ["b", "a"],
    }


def test_listed_classes_keep_their_order():
    source = Labelled(["a", "b"])
    assert ClassLabel.options_from(source, "label", {"classes": ["b", "a"]}) == {"classes": ["b", "a"]}


def test_classes_of_an_attribute_are_the_values_that_occur():
    source = Labelled(["x", "unreadable", "y", "z"], kinds=[3, 5, None, 1])
    assert ClassLabel.options_from(source, "kind", {}) == {"classes": ["1", "3"]}


def test_listed_class_without_any_example_is_refused():
    with pytest.raises(DataError, match="no example has the label 'c', which classes lists; there is a, b"):
        ClassLabel.options_from(Labelled(["a", "b"]), "label", {"classes": ["a", "b", "c"]})


def test_class_of_the_data_that_is_not_listed_is_refused():
    with pytest.raises(DataError, match="the data has the label 'b', which classes does not list; there is a"):
        ClassLabel.options_from(Labelled(["a", "b"]), "label", {"classes": ["a"]})


def test_empty_list_of_classes_is_not_taken_for_none():
    with pytest.raises(DataError, match="does not list"):
        ClassLabel.options_from(Labelled(["a"]), "label", {"classes": []})


def test_data_without_labels_has_no_classes():
    with pytest.raises(DataError, match="no example has the fact 'label' or any other"):
        ClassLabel.options_from(Labelled([None]), "label", {})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs classes"),
        ({"classes": []}, "needs classes"),
        ({"classes": ["a", "b", "a"]}, "'a' is listed twice"),
        ({"classes": ["a"], "width": 0}, "width >= 1, got 0"),
    ],
)
def test_class_label_refuses_options_out_of_range(options, words):
    with pytest.raises(UsageError, match=words):
        ClassLabel(**options)


def test_a_list_is_several_classes_and_all_is_every_one(conditioner):
    first, second = conditioner.classes[:2]
    assert conditioner.split(f"{second}, {first}") == [second, first]
    assert conditioner.split("all") == conditioner.classes
    assert ClassLabel(classes=["a", "all", "a,b"]).split("all") == ["all"]
    assert ClassLabel(classes=["a", "all", "a,b"]).split("a,b") == ["a,b"]


def test_a_class_is_described_by_its_name(conditioner):
    assert conditioner.describe(conditioner.parse(conditioner.classes[1])) == conditioner.classes[1]
