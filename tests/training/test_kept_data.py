"""Training on encoded items that are kept on disk."""

import shutil

import pytest
import torch

from polydiff.errors import DataError, RecipeError
from polydiff.training.resume import Change


@pytest.fixture
def encoded(toy, monkeypatch):
    """Count what is encoded."""
    calls = []
    encode = toy.Squares.encode
    monkeypatch.setattr(toy.Squares, "encode", lambda self, content: calls.append(1) or encode(self, content))
    return calls


def items(parts):
    sets = (parts.examples, parts.held_out)
    return [each[position] for each in sets for position in range(len(each))]


def test_what_is_trained_on_is_what_it_would_be(parts_of, encoded, tmp_path):
    plain = items(parts_of())
    made = len(encoded)
    kept = f"data.cache={tmp_path / 'kept'}"
    for total in (2 * made, 2 * made):
        for one, other in zip(items(parts_of(kept)), plain, strict=True):
            assert torch.equal(one.x, other.x)
            assert one.conditions == other.conditions
        assert len(encoded) == total


def test_another_codec_is_kept_apart(parts_of, encoded, toy, tmp_path, monkeypatch):
    kept = f"data.cache={tmp_path / 'kept'}"
    items(parts_of(kept))
    made = len(encoded)
    items(parts_of(kept, "data.source.classes=3"))
    assert len(encoded) == 2 * made
    items(parts_of(kept))
    assert len(encoded) == 2 * made
    build = toy.Squares.__init__

    def other(self, *args, **options):
        build(self, *args, **options)
        self.register_buffer("learnt", torch.ones(2))

    monkeypatch.setattr(toy.Squares, "__init__", other)
    items(parts_of(kept))
    assert len(encoded) == 3 * made


def test_the_folder_is_said_in_full_and_no_part_of_what_a_run_is(parts_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parts_of("data.cache=kept").recipe.data.cache == str(tmp_path / "kept")
    assert Change("data.cache", "null", '"kept"').harmless


def test_items_that_augmentation_changes_are_not_kept(parts_of):
    with pytest.raises(RecipeError, match=r"data\.cache: keeps items as they are encoded, and data\.augment changes"):
        parts_of("data.cache=kept", "data.augment=[shake]")


def test_what_finds_no_room_is_said_before_training(parts_of, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 100))
    with pytest.raises(DataError, match="GB are to be kept, and there is room for"):
        parts_of(f"data.cache={tmp_path / 'kept'}")
