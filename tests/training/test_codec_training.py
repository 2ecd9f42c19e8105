"""Codecs that learn, from a recipe to a model of their latents."""

import json
import math
import shutil

import pytest
import torch

import polydiff
from polydiff.cli.main import main
from polydiff.errors import ModelError, RecipeError, UsageError
from polydiff.generation.generate import generate
from polydiff.generation.request import Request
from polydiff.model import folder as model_folder
from polydiff.model.loading import load_codec
from polydiff.plugins.specs import AutoencoderSpec
from polydiff.recipe.build import build
from polydiff.recipe.component import Component
from polydiff.recipe.load import load_recipe
from polydiff.recipe.schema import CodecRecipe
from polydiff.training.processes import launch
from polydiff.training.rehearsal import rehearse


@pytest.fixture
def codec(train_codec):
    """The run of a codec, trained until it is right for constant squares."""
    run, _ = train_codec("codec", "train.steps=60", "train.validation.every=30", "train.ema.decay=0.5")
    return run


@pytest.fixture
def latents(train_toy, codec):
    """A diffusion run on the latents."""
    return lambda *changes, **how: train_toy("model", f"codec={{name: latent, of: {codec.folder}}}", *changes, **how)


def test_a_recipe_with_an_autoencoder_is_that_of_a_codec(codec_recipe):
    recipe = load_recipe(codec_recipe, ["train.validation.samples=8"])
    assert isinstance(recipe, CodecRecipe)
    assert [(each.name, each.weight) for each in recipe.objective.reconstruction] == [("l2", 1.0), ("l1", 0.5)]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("backbone=toy-net", r"backbone: unknown key"),
        ("train.validation.bands=4", r"train.validation.bands: unknown key"),
        ("objective.reconstruction=[]", r"objective.reconstruction: must be a list of 1 or more"),
        (
            "objective.reconstruction=[l3]",
            r"objective.reconstruction.0.name: unknown reconstruction loss 'l3'; there is .*l1, l2",
        ),
        ("objective.kl=-1", r"objective.kl: must be at least 0"),
        ("autoencoder.latnet=2", r"autoencoder.latnet: unknown option; did you mean 'latent'"),
        ("autoencoder=halfs", r"autoencoder.name: unknown autoencoder 'halfs'; did you mean 'halves'"),
        ("codec.size=5", r"autoencoder: 5 x 5 is not a multiple of 2, the network's factor; nearest: 4 x 4 or 6 x 6"),
        ("codec={name: latent, of: x}", r"codec: an autoencoder takes what comes of contents"),
    ],
)
def test_bad_codec_recipes_are_refused_with_their_place(codec_parts_of, override, message):
    with pytest.raises(RecipeError, match=message):
        codec_parts_of(override)


def test_a_codec_that_masks_is_refused(codec_parts_of, toy, monkeypatch):
    monkeypatch.setattr(toy.Squares, "mask", lambda self, content: torch.ones(1, 4, 4))
    with pytest.raises(RecipeError, match="codec: masks padding"):
        codec_parts_of()


def test_a_codec_learns_and_its_folder_tells_how_well(codec):
    lines = [json.loads(line) for line in (codec.folder / "metrics.jsonl").read_text().splitlines()]
    first, *_, last = (line for line in lines if line["kind"] == "validation")
    train = [line["loss"] for line in lines if line["kind"] == "train"]
    assert last["loss"] < train[0] / 2
    assert "bands" not in last
    assert last["loss"] + last["ci"] < first["loss"]
    card = (codec.model / "README.md").read_text()
    assert card.startswith("# Toy codec\n")
    assert f"| largest_difference | {last['largest_difference']:.4g} |" in card
    assert len(list((codec.folder / "previews").iterdir())) > 1
    assert codec.model.joinpath("model.yaml").read_text() == (
        "format: 1\nmodality: toy\ncodec:\n  name: squares\n  size: 4\n"
        "autoencoder:\n  name: halves\n  latent: 2\n  dropout: 0.1\n"
    )


def test_validation_is_the_reconstruction_loss_on_the_held_out_items(codec, codec_parts_of):
    parts, model = codec_parts_of(), load_codec(codec.folder)
    x = torch.stack([parts.held_out[position].x for position in range(6)])
    y = model.reconstruct(x)
    expected = (y - x).square().flatten(1).mean(1) + 0.5 * (y - x).abs().flatten(1).mean(1)
    processes = launch(accelerator="cpu", precision="32-true")
    report = parts.validator(4, processes)(model)
    assert report.total.loss == pytest.approx(float(expected.mean()), rel=1e-6)
    assert report.total.ci == pytest.approx(2.5706 * float(expected.std()) / math.sqrt(6), rel=1e-2)
    assert report.fidelity["largest_difference"] == pytest.approx(
        float((y - x).abs().flatten(1).amax(1).mean()), rel=1e-6
    )


def test_rehearsal_leaves_nothing_behind(codec_parts_of):
    found = rehearse(codec_parts_of(), launch(accelerator="cpu", precision="32-true"))
    assert found.shape == (1, 4, 4)
    assert found.parameters == 4 * 4 + 4 + 2 * 4 + 1
    assert math.isfinite(found.loss)


def test_a_model_of_latents_has_all_that_it_takes(latents, codec, tmp_path):
    run, outcome = latents()
    assert outcome.reason == "finished"
    weights = load_codec(codec.folder).codec.autoencoder.state_dict()
    shutil.rmtree(codec.folder)
    shutil.move(run.model, tmp_path / "moved")
    shutil.rmtree(run.folder)
    model = polydiff.load(tmp_path / "moved")
    assert "of:" not in (tmp_path / "moved" / "model.yaml").read_text()
    assert str(tmp_path) not in (tmp_path / "moved" / "README.md").read_text()
    assert model.codec.shape == (2, 2, 2)
    for name, tensor in model.codec.autoencoder.state_dict().items():
        assert torch.equal(tensor, weights[name])
    contents = model.generate(3, label="0,1")
    assert torch.tensor(contents).shape == (3, 4, 4)
    assert torch.tensor(model.generate(2, size="8x4")).shape == (2, 8, 4)
    with pytest.raises(UsageError, match="5 x 4 is not a multiple of 2"):
        model.generate(1, size="4x5")
    with pytest.raises(UsageError, match="the latents: size 2x3: each side must be even"):
        model.generate(1, size="4x6")
    records = generate(
        tmp_path / "moved", Request(count=2, steps=2, trajectory=True), tmp_path / "out", accelerator="cpu"
    )
    assert [record["shape"] for record in records] == [[2, 2, 2]] * 2


def test_latents_are_standardised_over_what_is_trained_on(latents):
    run, _ = latents()
    from polydiff.training.assemble import assemble

    parts = assemble(load_recipe(run.folder / "recipe.yaml"))
    x = torch.stack([parts.examples[position].x for position in range(len(parts.examples))]).double()
    assert x.mean((0, 2, 3)).abs().max() < 1e-5
    assert (x.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_samples_are_decoded_one_by_one(latents):
    model = polydiff.load(latents()[0].folder)
    z = torch.randn(5, 2, 2, 2)
    together = model.codec.decode(z)
    assert all(model.codec.decode(z[i : i + 1]) == [together[i]] for i in range(5))


def test_a_model_of_latents_is_resumed_bit_for_bit(latents, codec):
    whole, _ = latents()
    weights = (whole.model / "weights.safetensors").read_bytes()
    shutil.rmtree(whole.folder)
    latents(stop_at=7)
    stopped, _ = latents(resume=True)
    assert (stopped.model / "weights.safetensors").read_bytes() == weights


def test_the_resolved_recipe_knows_the_codec_by_its_weights(latents, codec, train_codec, tmp_path):
    run, _ = latents()
    from polydiff.training.assemble import assemble

    again = load_recipe(run.folder / "recipe.yaml")
    assert assemble(again).recipe == again
    shutil.rmtree(codec.folder)
    train_codec("codec", "train.seed=1")
    with pytest.raises(RecipeError, match=r"codec\.of: the codec there is another than the one"):
        assemble(again)


def test_what_is_no_codec_of_the_data_is_refused_in_one_line(parts_of, train_toy, codec, tmp_path):
    model, _ = train_toy("pixels", "train.steps=1")

    def refused(**options):
        written = ", ".join(f"{key}: {value}" for key, value in options.items())
        with pytest.raises(RecipeError) as caught:
            parts_of(f"codec={{name: latent, {written}}}")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "codec.of: missing: the folder of a trained codec" in refused()
    assert "codec.of: nowhere: no such model folder or run folder" in refused(of="nowhere")
    assert f"{model.model} is a diffusion model and no codec" in refused(of=model.folder)
    assert "codec.codec: comes from the folder that 'of' names" in refused(of=codec.folder, codec="squares")
    damaged = tmp_path / "damaged"
    shutil.copytree(codec.model, damaged)
    content = bytearray((damaged / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (damaged / "weights.safetensors").write_bytes(content)
    assert "is not the file that was saved" in refused(of=damaged)
    config = (codec.model / "model.yaml").read_text().replace("modality: toy", "modality: audio")
    foreign = tmp_path / "foreign"
    model_folder.write(
        foreign,
        {"model.yaml": config.encode(), "weights.safetensors": (codec.model / "weights.safetensors").read_bytes()},
    )
    assert "is a codec of the modality 'audio', not of 'toy'" in refused(of=foreign)


def test_the_command_trains_codecs_and_models_of_their_latents(codec_recipe, toy_recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(codec_recipe), "--dry-run"]) == 0
    assert "30 to train on, 10 held out, 1x4x4 each" in capsys.readouterr().out
    assert main(["train", str(codec_recipe), "train.steps=4"]) == 0
    out = capsys.readouterr().out
    assert "codec: runs/codec/model\n" in out
    assert "use:   a diffusion recipe with codec: {name: latent, of: runs/codec}" in out
    assert main(["train", str(codec_recipe), "train.steps=4", "train.kl=1"]) == 3
    assert main(["train", "runs/codec", "--resume", "objective.kl=1"]) == 2
    assert "objective.kl: 0.001 -> 1.0" in capsys.readouterr().err
    assert main(["train", str(toy_recipe), "codec={name: latent, of: runs/codec}", "--print-recipe"]) == 0
    assert f"of: {tmp_path}/runs/codec\n" in capsys.readouterr().out
    assert main(["train", str(toy_recipe), "codec={name: latent, of: runs/codec}", "train.steps=4"]) == 0
    assert main(["generate", "runs/toy", "-n", "2", "--label", "all", "--out", "out"]) == 0
    capsys.readouterr()
    assert main(["generate", "runs/codec", "-n", "2", "--out", "out2"]) == 5
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["train", str(toy_recipe), "codec={name: latent, of: nowhere}"]) == 3
    assert capsys.readouterr().err == (
        "error: override 'codec={name: latent, of: nowhere}': codec.of: nowhere: no such model folder or run folder\n"
    )


def test_a_codec_is_no_model_to_generate_with(codec):
    with pytest.raises(ModelError, match=r"is a codec and no diffusion model; a recipe takes it, as codec\.of"):
        polydiff.load(codec.folder)


def test_an_autoencoder_is_told_the_shape_of_its_data(toy):
    made = build(AutoencoderSpec, Component("halves"), data_shape=(1, 4, 4))
    assert made.latent_shape((1, 6, 4)) == (2, 3, 2)
    with pytest.raises(UsageError, match="the engine sets this itself"):
        build(AutoencoderSpec, Component("halves", {"data_shape": [1, 4, 4]}), data_shape=(1, 4, 4))
