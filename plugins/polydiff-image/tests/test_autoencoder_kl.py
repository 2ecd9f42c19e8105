"""Latents of an AutoencoderKL, with a tiny one of random weights as diffusers saves it."""

import json
import shutil
from contextlib import suppress

import numpy as np
import pytest
import torch
from PIL import Image
from polydiff_image.autoencoder_kl import WEIGHTS
from polydiff_image.pixels import Pixels

import polydiff
from polydiff.errors import RecipeError
from polydiff.plugins.host import Host
from polydiff.recipe.load import load_recipe
from polydiff.torchaudio_loader import load_torchaudio
from polydiff.training.assemble import assemble
from polydiff.training.processes import launch
from polydiff.training.record import Run
from polydiff.training.train import train

with suppress(ImportError):
    load_torchaudio()  # diffusers fails where it is installed and cannot be loaded
diffusers = pytest.importorskip("diffusers")

RECIPE = """
modality: image
codec: {name: autoencoder-kl, size: 8}
backbone: {name: unet2d, channels: 8, multipliers: [1, 2], blocks: 1, attention: []}
conditions: {label: class}
sample: {steps: 2}
data: {source: digits}
train:
  steps: 2
  batch: 4
  validation: {samples: 16}
  preview: {samples: 2}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    network = diffusers.AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4, latent_channels=3, **blocks)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    network.save_pretrained(folder)
    return folder


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return lambda *overrides: load_recipe(path, overrides)


def test_latents_are_diffusers_own(recipe, folder):
    parts = assemble(recipe(f"codec.path={folder}"))
    codec = parts.model.codec
    assert codec.shape == (3, 4, 4)
    network = diffusers.AutoencoderKL.from_pretrained(folder, low_cpu_mem_usage=False)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
    pixels = Pixels(8)
    with torch.no_grad():
        expected = network.encode(pixels.encode(picture)[None]).latent_dist.mean[0]
        assert torch.allclose(codec.encode(picture) * codec.std + codec.mean, expected, atol=1e-5)
        z = torch.randn(2, 3, 4, 4)
        shown = pixels.decode(network.decode(z * codec.std + codec.mean).sample)
    for ours, theirs in zip(codec.decode(z), shown, strict=True):
        assert np.abs(np.asarray(ours, int) - np.asarray(theirs, int)).max() <= 1
    x = torch.stack([parts.examples[i].x for i in range(len(parts.examples))]).double()
    assert x.mean((0, 2, 3)).abs().max() < 0.3
    assert (x.std((0, 2, 3)) - 1).abs().max() < 0.3


def test_a_model_of_them_holds_them(recipe, folder, tmp_path):
    copied = tmp_path / "vae"
    shutil.copytree(folder, copied)
    parts = assemble(recipe(f"codec.path={copied}"))
    run = Run(tmp_path / "run", parts.recipe)
    train(parts, run, launch(accelerator="cpu", precision="32-true"), host=Host())
    shutil.rmtree(copied)
    assert str(tmp_path) not in (run.model / "model.yaml").read_text()
    model = polydiff.load(run.folder)
    pictures = model.generate(2, label="3", size="12x8")
    assert [picture.size for picture in pictures] == [(12, 8)] * 2
    with pytest.raises(RecipeError, match=r"codec.path: .*vae: there is no"):
        assemble(load_recipe(run.folder / "recipe.yaml"))


def test_what_is_none_is_refused(recipe, folder, tmp_path):
    def refused(path):
        with pytest.raises(RecipeError) as caught:
            assemble(recipe(f"codec.path={path}"))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert f"{tmp_path}: there is no {WEIGHTS}; nothing else (no pickle) is ever loaded" in refused(tmp_path)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "_class_name": "UNet2DModel"}))
    assert "holds a UNet2DModel, not an AutoencoderKL" in refused(other)
    (other / "config.json").write_text("{")
    assert "holds no AutoencoderKL of diffusers" in refused(other)
    (other / "config.json").write_text(json.dumps({**config, "latent_channels": 4}))
    assert "holds no AutoencoderKL of diffusers" in refused(other)
    with pytest.raises(RecipeError, match=r"codec\.path: missing"):
        assemble(recipe())
