"""Encoded items kept on disk."""

import numpy as np
import pytest
import torch

from polydiff.data.balance import weighted
from polydiff.data.cache import Cache
from polydiff.data.codec import Codec
from polydiff.data.encoded import EncodedCache, fingerprint
from polydiff.data.example import Example
from polydiff.data.examples import ExampleSet, collate
from polydiff.data.folder import FolderSource
from polydiff.data.joined import Joined
from polydiff.data.loader import batches
from polydiff.errors import DataError, PluginError, UsageError


class Texts(FolderSource):
    """Text files; "bad" is none."""

    def __init__(self, path):
        self.reads = 0
        super().__init__(path, {".txt"})

    def check(self, path):
        pass

    def read(self, path):
        self.reads += 1
        if path.read_text() == "bad":
            raise DataError("is bad")
        return path.read_text()


class Length(Codec):
    """The length of a text, and each third of it not learnt."""

    channels = 1
    shape = (1, 3)

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("scale", torch.tensor(scale))

    def shape_for(self, size):
        raise UsageError("a text has no size")

    def encode(self, content):
        self.calls += 1
        return torch.full((1, 3), float(len(content))) * self.scale

    def mask(self, content):
        return torch.tensor([[1.0, 1.0, 0.0]])

    def decode(self, x):
        return ["" for _ in x]


@pytest.fixture
def folder(tmp_path):
    for place in range(6):
        (tmp_path / "texts" / "ab"[place % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / "ab"[place % 2] / f"{place}.txt").write_text("bad" if place == 3 else "x" * place)
    (tmp_path / "texts/metadata.jsonl").write_text('{"file_name": "a/2.txt", "caption": "two", "n": [0.1, {"m": "é"}]}')
    return tmp_path / "texts"


def examples(folder, tmp_path, codec=None, cached=True, options=({},), source=None, **kept):
    source, codec = source or Texts(folder), codec or Length()
    cache = EncodedCache(Cache(tmp_path / "cache"), source, options, fingerprint(codec, {})) if cached else None
    prepare = kept.pop("prepare", {name: lambda value: value for name in ("label", "caption", "n")})
    return ExampleSet(source, range(len(source)), codec, prepare=prepare, cache=cache, **kept)


def same(one, other):
    assert torch.equal(one.x, other.x)
    assert torch.equal(one.mask, other.mask)
    assert (one.conditions, one.position, one.unreadable) == (other.conditions, other.position, other.unreadable)


def test_kept_items_are_those_that_are_made(folder, tmp_path):
    plain, first, second = (examples(folder, tmp_path, cached=cached) for cached in (False, True, True))
    for position in range(12):
        same(first[position], plain[position])
    assert (first.codec.calls, first.source.reads) == (5, 7)  # five are kept; the sixth is tried in every epoch
    for position in range(12):
        same(second[position], plain[position])
    assert second.codec.calls == 0
    assert any(item.conditions["n"] == [0.1, {"m": "é"}] for item in map(second.__getitem__, range(6)))


def test_workers_fill_a_cache_and_read_from_it(folder, tmp_path):
    plain = examples(folder, tmp_path, cached=False)
    positions = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    for _ in range(2):
        for batch, expected in zip(batches(examples(folder, tmp_path), positions, workers=2), positions, strict=True):
            assert torch.equal(batch.x, collate([plain[position] for position in expected]).x)


def changed(folder):
    (folder / "a/2.txt").write_text("now longer")


def labelled(folder):
    (folder / "metadata.jsonl").write_text('{"file_name": "a/2.txt", "label": "c"}')


def attached(folder):
    (folder / "n.wav").touch()
    (folder / "metadata.jsonl").write_text('{"file_name": "a/2.txt", "n_file_name": "n.wav"}')


@pytest.mark.parametrize("change", [changed, labelled, attached])
def test_an_item_that_has_changed_is_made_anew(folder, tmp_path, change):
    first = examples(folder, tmp_path, shuffle=False)
    for position in range(5):
        first[position]
    change(folder)
    second, plain = examples(folder, tmp_path, shuffle=False), examples(folder, tmp_path, shuffle=False, cached=False)
    for position in range(5):
        same(second[position], plain[position])
    assert second.codec.calls == 1


def test_another_codec_or_source_is_kept_apart(folder, tmp_path):
    for arguments in ({}, {"codec": Length(2.0)}, {"options": ({"upper": True},)}):
        made = examples(folder, tmp_path, shuffle=False, **arguments)
        assert made[0].x[0, 0] == 0
        assert made[1].x[0, 0] == 2 * made.codec.scale
        assert made.codec.calls == 2


def test_a_fingerprint_is_of_class_options_and_state_to_the_bit():
    base = fingerprint(Length(), {"a": 1})
    assert base == fingerprint(Length(), {"a": 1})
    nudged = Length()
    nudged.scale.copy_(torch.nextafter(torch.tensor(1.0), torch.tensor(2.0)))

    class Other(Length):
        pass

    half = Length().half()
    others = [fingerprint(nudged, {"a": 1}), fingerprint(Length(), {"a": 2}), fingerprint(Other(), {"a": 1})]
    assert len({base, *others, fingerprint(half, {"a": 1}), fingerprint(Length().bfloat16(), {"a": 1})}) == 6


def test_a_content_that_a_condition_asks_for_is_read(folder, tmp_path):
    for calls in (2, 0):
        made = examples(folder, tmp_path, prepare={"content": len}, shuffle=False)
        assert [made[position].conditions["content"] for position in range(2)] == [0, 2]
        assert made.codec.calls == calls
        assert made.source.reads == 2


def test_a_fact_that_is_a_file_comes_back_as_its_path(folder, tmp_path):
    attached(folder)
    for calls in (6 - 1, 0):
        made = examples(folder, tmp_path)
        assert folder / "n.wav" in [made[position].conditions["n"] for position in range(6)]
        assert made.codec.calls == calls
    (folder / "n.wav").write_text("another")
    again = examples(folder, tmp_path, on_error="stop", shuffle=False)
    assert again[1].conditions["n"] == folder / "n.wav"
    assert again.codec.calls == 1
    (folder / "n.wav").unlink()
    with pytest.raises(DataError, match=r"^a/2\.txt: cannot be opened: No such file"):
        again[1]


class Made:
    """Texts that are made; `fact` makes what is told of them."""

    classes = ()
    unreadable = ()

    def __init__(self, fact):
        self.fact = fact

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return Example("y" * index, self.name(index), attributes={"n": self.fact(index)})

    def name(self, index):
        return f"text {index}"

    def label(self, index):
        return None


def test_a_source_that_makes_its_items_is_kept_by_their_names(folder, tmp_path):
    for calls in (3, 0):
        made = examples(folder, tmp_path, source=Made(float), shuffle=False)
        assert [made[position].conditions["n"] for position in range(3)] == [0.0, 1.0, 2.0]
        assert made.codec.calls == calls


@pytest.mark.parametrize("fact", [np.float32, lambda index: (index, 2), lambda index: {1: index}, lambda _: {1, 2}])
def test_a_fact_that_would_come_back_as_another_is_refused(folder, tmp_path, fact):
    made = examples(folder, tmp_path, source=Made(fact))
    with pytest.raises(PluginError, match=r"text \d: a fact is neither text nor number.* data\.cache cannot keep it"):
        made[0]


def test_joined_sources_are_kept_each_by_its_own_options(folder, tmp_path):
    for calls in (8, 0):
        joined = Joined({"source": Texts(folder), "also.0": Made(float)})
        made = examples(folder, tmp_path, source=joined, options=({"a": 1}, {"b": 2}), shuffle=False)
        names = [item.x[0, 0].item() for item in map(made.__getitem__, range(9))]
        assert names == [0, 2, 4, 1, 5, 5, 0, 1, 2]  # the fourth is bad, so the next stands for it
        assert made.codec.calls == calls
    alone = examples(folder, tmp_path, source=Texts(folder), options=({"a": 1},), shuffle=False)
    assert alone[1].x[0, 0] == 2
    assert alone.codec.calls == 0


def test_the_order_has_no_part_in_what_is_kept(folder, tmp_path):
    source = Texts(folder)
    order = weighted([source.label(index) for index in range(6)], [0] * 6, balance="class")
    first = examples(folder, tmp_path, source=source, order=order, seed=3)
    for position in range(30):
        first[position]
    assert first.codec.calls == 5


def test_what_is_changed_before_it_is_encoded_is_not_kept(folder, tmp_path):
    with pytest.raises(AssertionError):
        examples(folder, tmp_path, augment=[lambda content, _: content])


def test_a_file_that_is_gone_is_reported_by_name(folder, tmp_path):
    made = examples(folder, tmp_path, shuffle=False, on_error="stop")
    made[1]
    (folder / "a/2.txt").unlink()
    with pytest.raises(DataError, match=r"^a/2\.txt: cannot be opened: No such file"):
        made[1]
