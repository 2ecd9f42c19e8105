"""A run that was killed, moved or copied without its data: what each command says that it needs."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def run(polydiff, place, pictures):
    """A run of two steps on pictures, moved away; its data are gone from where they were."""
    pictures("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
    said = polydiff("train", "folder-64", f"data.source.path={place.parent / 'pictures'}", "data.holdout=0", small=True)
    assert said.code == 0
    (place / "runs" / "folder-64").rename(place / "moved")
    (place.parent / "pictures").rename(place / "pictures")
    return place / "moved"


def test_a_run_says_where_its_data_were_and_how_to_say_where_they_are(polydiff, place, run):
    said = polydiff("train", "moved", "--resume", "train.steps=3", "--accelerator=cpu")
    assert said.code == 3
    assert f"{place.parent / 'pictures'}: there is no such folder" in said.err
    assert "--accept-changes data.source.path=PLACE says where they are now" in said.err
    again = ["train", "moved", "--resume", "train.steps=3", "data.source.path=pictures", "--accelerator=cpu"]
    assert polydiff(*again, "--accept-changes").code == 0
    assert polydiff("train", "moved", "--resume", "train.steps=4", "--accelerator=cpu").code == 0


def test_a_model_needs_no_data(polydiff, run):
    assert polydiff("generate", "moved", "-n", "1", "--out", "out").code == 0
    shutil.move("moved/model", "alone")
    assert polydiff("generate", "alone", "-n", "1", "--label", "dog", "--out", "out2").code == 0


def test_what_a_run_without_a_model_and_a_model_without_a_run_need(polydiff, run):
    shutil.move("moved/model", "alone")
    for args, code, message in (
        (["generate", "moved", "--out", "o"], 5, "is a run without a model yet; polydiff train moved --resume goes on"),
        (["generate", "alone/weights.safetensors", "--out", "o"], 5, "is a file; name the folder that it is in"),
        (["train", "alone", "--resume"], 2, "alone is a model, without the checkpoints that a run goes on from"),
        (["train", "alone"], 2, "alone is a model, which is trained already"),
    ):
        said = polydiff(*args)
        assert (said.code, said.out) == (code, "")
        assert message in said.err
