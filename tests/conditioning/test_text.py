"""What the text conditioner owes: padding and neighbours without effect, nothing cut in silence, null by the mask."""

from dataclasses import dataclass, field

import pytest
import torch

from polydiff.conditioning.text import Text
from polydiff.core.condition import ConditionDims
from polydiff.errors import DataError, UsageError

TEXTS = ["a red circle", "a (green:1.5) square left of a blue circle above it", "x", ""]


def small(**options):
    torch.manual_seed(0)
    text = Text(**{"length": 16, "width": 32, "layers": 2, **options}).double().eval()
    for parameter in text.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return text


@pytest.fixture
def text():
    return small()


def test_the_same_text_alone_and_among_others(text):
    together = text([text.parse(each) for each in TEXTS])
    for i, each in enumerate(TEXTS):
        alone = text([text.parse(each)])
        torch.testing.assert_close(alone.tokens[0], together.tokens[i], rtol=0, atol=1e-12)
        torch.testing.assert_close(alone.vector[0], together.vector[i], rtol=0, atol=1e-12)
        assert torch.equal(alone.mask[0], together.mask[i])


def test_shapes_are_the_same_whatever_the_texts(text):
    for values in (TEXTS, TEXTS[2:3], TEXTS[3:]):
        cond = text([text.parse(each) for each in values])
        assert cond.tokens.shape == (len(values), 16, 32)
        assert cond.mask.shape == (len(values), 16)
    assert text.dims == ConditionDims(vector=32, tokens=32)


def test_no_text_and_an_empty_one_are_null(text):
    cond = text([None, text.parse(" "), text.parse("red")])
    assert cond.mask.sum(1).tolist() == [0, 0, 1]
    assert not cond.tokens[:2].any()
    assert not cond.vector[:2].any()
    assert cond.vector[2].abs().max() > 1e-3


def test_order_and_spelling_make_a_difference(text):
    tokens = [text([text.parse(each)]).vector for each in ("ab cd", "cd ab", "ba cd", "ab  CD")]
    assert all((tokens[0] - other).abs().max() > 1e-3 for other in tokens[1:3])
    assert torch.equal(tokens[0], tokens[3])


def test_a_weight_multiplies_its_words_tokens(text):
    plain, weighted = (text([text.parse(each)]) for each in ("a red circle", "a (red:1.7) circle"))
    expected = plain.tokens.clone()
    expected[:, 1] *= 1.7
    torch.testing.assert_close(weighted.tokens, expected)
    mean = text.pooled(expected[:, :3].mean(1))
    torch.testing.assert_close(weighted.vector, mean)


def test_weight_one_is_no_weight(text):
    one, other = (text([text.parse(each)]) for each in ("a red circle", "a (red:1) circle"))
    assert torch.equal(one.tokens, other.tokens)


def test_tokens_alone():
    text = small(pooled=False)
    assert text.dims == ConditionDims(tokens=32)
    assert text([text.parse("red")]).vector is None


def test_long_texts_are_refused_or_cut_by_choice():
    refusing, cutting = small(length=3), small(length=3, too_long="truncate")
    assert len(refusing.prepare("one two three")) == 1
    with pytest.raises(DataError, match="the text 'one two three four' has 4 words; 3 are read at most"):
        refusing.prepare("one two three four")
    with pytest.raises(UsageError, match="has 4 words"):
        refusing.parse("one two three (four:1)")
    cut, whole = (cutting([cutting.parse(each)]) for each in ("one two three four five", "one two three"))
    assert torch.equal(cut.tokens, whole.tokens)
    assert cutting.unread("one two three four five") == "four five"
    assert cutting.unread("one two three") == ""


def test_bytes_count_as_tokens():
    text = small(unit="bytes", length=4)
    assert text([text.parse("a b")]).mask.sum() == 3
    with pytest.raises(UsageError, match="has 5 bytes"):
        text.parse("a b c")


def test_it_learns_from_dropped_texts_alone(text):
    """A parallel strategy needs a gradient for every parameter in every batch."""
    cond = text([None, None])
    (cond.tokens.sum() + cond.vector.sum()).backward()
    assert all(parameter.grad is not None for parameter in text.parameters())


def test_what_is_no_text_is_refused(text):
    assert text.prepare(None) is None
    with pytest.raises(DataError, match="5 is no text"):
        text.prepare(5)


@pytest.mark.parametrize("options", [{"length": 0}, {"width": 0}, {"layers": -1}, {"width": 30}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError):
        Text(**options)


@dataclass
class Captioned:
    caption: str | None
    facts: list = field(default_factory=lambda: ["label"])

    def get(self, key):
        return self.caption if key == "caption" else None


def test_data_without_texts_are_refused():
    assert Text.options_from([Captioned(None), Captioned("a")], "caption", {"length": 5}) == {"length": 5}
    with pytest.raises(DataError, match="no example has the fact 'captoin'; did you mean"):
        Text.options_from([Captioned("a", ["caption"])], "captoin", {})


def test_prompts_are_described_as_they_are_read(text):
    for each in TEXTS:
        assert text.parse(text.describe(text.parse(each))) == text.parse(each)
