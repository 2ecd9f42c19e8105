import errno
import json
import os
import pickle  # noqa: TID251 (to be refused)

import pytest
import torch
from safetensors.torch import load_file, save_file

import polydiff
from polydiff.errors import ModelError, PolydiffError, UsageError
from polydiff.files import sha256
from polydiff.model import folder as model_folder


@pytest.fixture
def saved(toy_model, tmp_path):
    model = toy_model("a", "b")
    model.save(tmp_path / "run" / "model")
    return model, tmp_path / "run" / "model"


def renew_manifest(folder):
    digests = {name: sha256(folder / name) for name in (model_folder.CONFIG, model_folder.WEIGHTS)}
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "sha256": digests}))


def test_what_was_saved_comes_back(saved):
    model, folder = saved
    for path in (folder, str(folder.parent)):
        loaded = polydiff.load(path)
        assert not loaded.training
        assert loaded.config == model.config
        assert loaded.state_dict().keys() == model.state_dict().keys()
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, loaded.state_dict()[name])
        assert loaded.generate(2, label="a,b") == model.generate(2, label="a,b")


def test_the_folder_has_its_files_and_nothing_else(saved):
    _, folder = saved
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "manifest.json", "model.yaml", "weights.safetensors"
    ]  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert folder.joinpath("model.yaml").read_text().startswith("format: 1\nmodality: toy\n")
    assert "toy_modality" not in folder.joinpath("model.yaml").read_text()


def test_tied_weights_are_saved(toy_model, tmp_path):
    model = toy_model()
    net = model.denoiser.backbone
    net.twin = net.into
    model.save(tmp_path / "model")
    assert torch.equal(
        load_file(tmp_path / "model" / "weights.safetensors")["denoiser.backbone.twin.weight"], net.into.weight
    )


@pytest.mark.parametrize("name", ["model.yaml", "weights.safetensors", "manifest.json"])
def test_a_missing_file_is_named(saved, name):
    _, folder = saved
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        polydiff.load(folder)


@pytest.mark.parametrize("name", ["model.yaml", "weights.safetensors"])
@pytest.mark.parametrize("place", [0, -1])
def test_a_changed_byte_is_found(saved, name, place):
    _, folder = saved
    content = bytearray((folder / name).read_bytes())
    content[place] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} is not the file that was saved"):
        polydiff.load(folder)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("dump", [pickle.dump, torch.save])
def test_a_pickle_is_refused_and_not_executed(saved, dump, tmp_path, monkeypatch):
    _, folder = saved
    monkeypatch.chdir(tmp_path)
    with (folder / "weights.safetensors").open("wb") as file:
        dump(Bomb(), file)
    renew_manifest(folder)
    with pytest.raises(ModelError, match="not a safetensors file"):
        polydiff.load(folder)
    assert not (tmp_path / "exploded").exists()


def test_a_name_that_leads_outside_is_refused(saved):
    _, folder = saved
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["../secret"] = "0"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"'\.\./secret', which leads outside"):
        polydiff.load(folder)


def test_a_link_that_leads_outside_is_refused(saved):
    _, folder = saved
    (folder / "weights.safetensors").rename(folder.parent / "elsewhere")
    (folder / "weights.safetensors").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(ModelError, match="leads outside"):
        polydiff.load(folder)


@pytest.mark.parametrize("version", [2, 0, None, "1", 1.5])
def test_a_format_that_is_not_known_is_refused(saved, version):
    _, folder = saved
    config = (folder / "model.yaml").read_text()
    (folder / "model.yaml").write_text(config.replace("format: 1", f"format: {json.dumps(version)}"))
    renew_manifest(folder)
    with pytest.raises(ModelError, match=r"model.yaml has format .*upgrade"):
        polydiff.load(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": version}))
    with pytest.raises(ModelError, match=r"manifest.json has format .*upgrade"):
        polydiff.load(folder)


def without_a_tensor(weights):
    del weights["denoiser.backbone.out.bias"]


def with_a_tensor(weights):
    weights["denoiser.backbone.more"] = torch.zeros(1)


def with_another_shape(weights):
    weights["denoiser.backbone.out.bias"] = torch.zeros(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_tensor, "there is no tensor 'denoiser.backbone.out.bias'"),
        (with_a_tensor, "no place for its tensor 'denoiser.backbone.more'"),
        (with_another_shape, r"tensor 'denoiser.backbone.out.bias' is \(2,\), not \(1,\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(saved, change, message):
    _, folder = saved
    weights = load_file(folder / "weights.safetensors")
    change(weights)
    save_file(weights, folder / "weights.safetensors")
    renew_manifest(folder)
    with pytest.raises(ModelError, match=message):
        polydiff.load(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "sha256": 3}', "\x00"])
def test_a_damaged_manifest_is_refused(saved, content):
    _, folder = saved
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        polydiff.load(folder)


@pytest.mark.parametrize("content", ["format: 1\nmodality: [", "- 1", "format: 1\nmodality: toy\ncodex: squares\n"])
def test_a_damaged_configuration_is_refused_with_its_place(saved, content):
    _, folder = saved
    (folder / "model.yaml").write_text(content)
    renew_manifest(folder)
    with pytest.raises(ModelError, match=r"model\.yaml"):
        polydiff.load(folder)


def test_a_path_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no such"):
        polydiff.load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="holds no model"):
        polydiff.load(tmp_path)


def test_saving_again_replaces_the_model(saved):
    model, folder = saved
    with torch.no_grad():
        model.denoiser.backbone.out.bias.add_(1)
    model.save(folder)
    assert torch.equal(polydiff.load(folder).denoiser.backbone.out.bias, model.denoiser.backbone.out.bias)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_saving_replaces_nothing_but_a_model(toy_model, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not a model folder"):
        toy_model().save(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_full_disk_leaves_the_old_model_and_nothing_else(saved, monkeypatch):
    model, folder = saved
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PolydiffError, match="the disk is full") as caught:
        model.save(folder)
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_the_card_says_what_and_how(saved):
    _, folder = saved
    card = (folder / "README.md").read_text()
    assert "polydiff generate . -n 16 --label all" in card
    assert "modality: toy" in card


def test_the_card_of_a_trained_model_tells_of_its_training(toy_config, tmp_path):
    from polydiff.model import Model
    from polydiff.recipe.component import Component
    from polydiff.recipe.schema import DataConfig, Recipe, TrainConfig

    config = toy_config("a")
    recipe = Recipe(
        **{key: getattr(config, key) for key in type(config).model_fields},
        data=DataConfig(source=Component("my-source", {"path": "squares/"})),
        train=TrainConfig(steps=1500, batch=128),
    )
    Model.from_config(recipe).save(tmp_path / "model", {"loss on held-out data": 0.12345})
    card = (tmp_path / "model" / "README.md").read_text()
    assert "`my-source` (path squares/)" in card
    assert "1,500 steps of 128" in card
    assert "| loss on held-out data | 0.1235 |" in card or "| loss on held-out data | 0.1234 |" in card
    assert "train" not in (tmp_path / "model" / "model.yaml").read_text()
    assert polydiff.load(tmp_path / "model").config == config
