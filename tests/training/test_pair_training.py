"""Contrastive pairs, from a recipe to a folder."""

import importlib
import json
import math
import shutil

import pytest
import torch

import polydiff
from polydiff.cli.main import main
from polydiff.data.example import Example
from polydiff.errors import ModelError, RecipeError, UsageError
from polydiff.model.loading import load_codec
from polydiff.model.pair import Pair
from polydiff.recipe.component import Component
from polydiff.recipe.load import load_recipe
from polydiff.recipe.schema import PairRecipe
from polydiff.training.processes import launch
from polydiff.training.rehearsal import rehearse


def weights(run):
    return (run.model / "weights.safetensors").read_bytes()


def test_a_recipe_with_contrastive_is_that_of_a_pair(pair_recipe):
    assert isinstance(load_recipe(pair_recipe), PairRecipe)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("backbone=toy-net", r"backbone: unknown key"),
        ("conditions={}", r"conditions: a contrastive pair has one condition"),
        ("conditions.level=vector", r"conditions: a contrastive pair has one condition"),
        ("conditions={content: tensor}", r"conditions.content: it conditions by channels alone"),
        ("conditions={lable: class}", r"conditions.lable: no example has the fact 'lable'; did you mean 'label'"),
        ("conditions.label.dropout=0.1", r"conditions.label.dropout: unknown option"),
        ("train.accumulate=2", r"train.accumulate: a contrastive loss compares all of a batch"),
        ("train.batch=1", r"train.batch: must be at least 2"),
        ("contrastive.encoder=gird", r"contrastive.encoder.name: unknown encoder 'gird'; did you mean 'grid'"),
        ("contrastive.encoder.chanels=2", r"contrastive.encoder.chanels: unknown option; did you mean 'channels'"),
        ("codec.size=5", r"contrastive.encoder: 5 x 5 is not a multiple of 2"),
        ("contrastive.temperature=0", r"contrastive.temperature: must be at least 0.01"),
        ("codec={name: latent, of: x}", r"codec: a contrastive pair takes what comes of contents"),
    ],
)
def test_bad_recipes_are_refused_with_their_place(pair_parts_of, override, message):
    with pytest.raises(RecipeError, match=message):
        pair_parts_of(override)


def test_a_pair_learns_and_its_folder_tells_how_well(train_pair):
    run, outcome = train_pair("pair", "train.steps=80", "train.validation.every=40", "train.ema.decay=0.5")
    assert outcome.reason == "finished"
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    *_, last = (line for line in lines if line["kind"] == "validation")
    assert last["retrieval"] > 0.9
    assert last["candidates"] >= 3
    assert last["cosine"] > last["other"] + 0.5
    card = (run.model / "README.md").read_text()
    assert card.startswith("# Toy and label: a contrastive pair\n")
    assert f"| retrieval | {last['retrieval']:.4g} |" in card
    assert (
        run.model.joinpath("model.yaml").read_text().startswith("format: 1\nmodality: toy\ncodec:\n  name: squares\n")
    )
    pair = polydiff.load_pair(run.folder)
    contents = [[[float(label)] * 4] * 4 for label in range(4)]
    cosines = pair.embed(contents, batch=3) @ pair.embed_texts(["0", "1", "2", "3"], batch=3).T
    assert cosines.argmax(1).tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(pair.embed(contents).norm(dim=1), torch.ones(4))


def test_validation_is_the_loss_among_all_that_is_held_out(pair_parts_of, train_pair):
    run, _ = train_pair("pair")
    parts, pair = pair_parts_of(), polydiff.load_pair(run.folder)
    items = [parts.held_out[position] for position in range(8)]
    with torch.no_grad():
        z = pair.of_data(torch.stack([item.x for item in items])).double()
        labels = [item.conditions["label"] for item in items]
        s = pair.log_scale.exp().double() * z @ pair.of_values(labels).double().T
    losses = []
    for i, label in enumerate(labels):
        among = [j for j, other in enumerate(labels) if j == i or other != label]
        losses.append(s[i, among].logsumexp(0) / 2 + s[among, i].logsumexp(0) / 2 - s[i, i])
    report = parts.validator(3, launch(accelerator="cpu", precision="32-true"))(pair)
    assert report.total.loss == pytest.approx(float(torch.stack(losses).mean()), rel=1e-5)


def test_a_pair_is_resumed_bit_for_bit(train_pair):
    whole, _ = train_pair("pair")
    expected = weights(whole)
    shutil.rmtree(whole.folder)
    train_pair("pair", stop_at=7)
    stopped, _ = train_pair("pair", resume=True)
    assert weights(stopped) == expected


def test_the_temperature_stops_at_a_hundredth(pair_parts_of):
    parts = pair_parts_of()
    with torch.no_grad():
        parts.model.log_scale.fill_(7.0)
    item = parts.examples[0]
    parts.loss()(item.x[None], {"label": [0]}, torch.tensor([0]))
    assert parts.model.log_scale.item() == pytest.approx(math.log(100))


def test_examples_without_the_fact_are_left_out(train_pair, toy_recipe, monkeypatch):
    data = importlib.import_module("toy_data")
    get = data.Levels.__getitem__

    def without(self, index):
        example = get(self, index)
        return example if index % 3 else Example(example.content, example.name)

    monkeypatch.setattr(data.Levels, "__getitem__", without)
    _, outcome = train_pair("pair")
    assert outcome.reason == "finished"
    assert math.isfinite(outcome.progress.figures["loss"])


def test_rehearsal_and_one_item_held_out(pair_parts_of):
    processes = launch(accelerator="cpu", precision="32-true")
    assert math.isfinite(rehearse(pair_parts_of(), processes).loss)
    with pytest.raises(RecipeError, match="one item alone is held out"):
        pair_parts_of("data.holdout=0.025").validator(2, processes)


def test_what_takes_a_model_says_what_a_pair_is_for(train_pair, train_toy, tmp_path, capsys):
    run, _ = train_pair("pair")
    refusal = "is a contrastive pair and no diffusion model; polydiff embed"
    assert main(["generate", str(run.folder), "--out", str(tmp_path / "out")]) == 5
    assert refusal in capsys.readouterr().err
    with pytest.raises(ModelError, match="is a contrastive pair and no codec"):
        load_codec(run.folder)
    model, _ = train_toy("model")
    with pytest.raises(ModelError, match="is a diffusion model and no contrastive pair"):
        polydiff.load_pair(model.folder)


def test_guidance_by_a_pair_leads_where_it_is_told(train_pair, train_toy):
    pair, _ = train_pair("pair", "train.steps=60", "train.ema.decay=0.5")
    run, _ = train_toy("model", "data.source={name: levels, classes: 4}", "train.steps=40")
    model, judge = polydiff.load(run.folder), polydiff.load_pair(pair.folder)

    def cosines(scale, prompt):
        guidance = [Component("pair", {"model": str(pair.folder), "prompt": prompt, "scale": scale})]
        contents = model.generate(16, steps=8, guidance=guidance)
        return float((judge.embed(contents) @ judge.embed_texts([prompt])[0]).mean())

    for label in ("0", "3"):
        assert cosines(1.0, label) > cosines(0.0, label) + 0.1
    with pytest.raises(UsageError, match="unknown class '7'"):
        cosines(1.0, "7")


def test_guidance_by_a_pair_of_other_data_is_refused(pair_recipe, train_toy, tmp_path):
    other = load_recipe(pair_recipe, ["codec.size=8", "conditions.label.classes=[a]"])
    Pair.from_config(other).save(tmp_path / "other")
    run, _ = train_toy("model")
    guidance = [Component("pair", {"model": str(tmp_path / "other"), "prompt": "a", "scale": 1.0})]
    with pytest.raises(UsageError, match=r"other is a pair of other data: its codec is .*'size': 8.*, not .*'size': 4"):
        polydiff.load(run.folder).generate(1, guidance=guidance)
