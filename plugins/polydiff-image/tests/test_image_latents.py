"""The autoencoder of pictures, and the conformance kit on a model of its latents."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from polydiff_image.autoencoder2d import Autoencoder2D
from polydiff_image.fidelity import fidelity

from polydiff.core.condition import ConditionDims
from polydiff.errors import UsageError
from polydiff.model.codec_model import CodecModel
from polydiff.plugins.host import host
from polydiff.plugins.specs import BackboneSpec
from polydiff.recipe.build import build
from polydiff.recipe.load import load_recipe
from polydiff.testing import ModalityConformance, train_codec


def test_psnr_is_that_of_the_mean_squared_error():
    black, grey = (Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (0, 51))
    assert fidelity(grey, black)["psnr_db"] == pytest.approx(-10 * math.log10(0.2**2))
    assert fidelity(black, black)["psnr_db"] == pytest.approx(100)


@pytest.mark.parametrize(("multipliers", "factor"), [((1, 2, 4), 4), ((1, 2, 4, 4), 8)])
def test_levels_halve_the_sides(multipliers, factor):
    network = Autoencoder2D((3, 64, 64), channels=8, multipliers=multipliers)
    assert network.latent_shape((3, 64, 32)) == (4, 64 // factor, 32 // factor)
    assert network.encode(torch.zeros(1, 3, 64, 32)).mean.shape == (1, 4, 64 // factor, 32 // factor)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": (7,)}, "attention at level 7"),
        ({"channels": 0}, "channels must be at least 1"),
        ({"attention": (-1,), "head_width": 48}, "heads of width 48 do not divide"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Autoencoder2D((1, 8, 8), **options)


def test_the_presets_fit_together():
    codec = CodecModel.from_config(load_recipe(host().preset("glyphs-codec"))).codec
    chosen = load_recipe(host().preset("glyphs-latent")).backbone
    backbone = build(BackboneSpec, chosen, data_channels=codec.channels, condition=ConditionDims(vector=8))
    backbone.check_shape(codec.shape)
    numbers = [math.prod(shape) for shape in (codec.shape, codec.codec.shape)]
    assert numbers[0] <= numbers[1] / 2


class TestLatents(ModalityConformance):
    """On latents of small pictures, with labels."""

    recipe = "glyphs-latent"
    round_trip_error = 0.9  # of an autoencoder that has seen a thousand pictures

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def codec(cls, tmp_path_factory):
        data = ("codec.size=8", "data.source={name: digits}")
        network = "autoencoder={name: autoencoder2d, latent: 4, channels: 8, multipliers: [1, 2]}"
        folder = train_codec(
            "glyphs-codec", (*data, network, "train.steps=60", "train.batch=16"), tmp_path_factory.mktemp("codec")
        )
        cls.overrides = (
            f"codec.of={folder}",
            "backbone={name: unet2d, channels: 16, multipliers: [1, 2], blocks: 1, attention: []}",
            "data={source: {name: digits}}",
            "train.steps=40",
            "train.batch=32",
            "train.optimizer.warmup=10",
            "train.validation.samples=64",
            "train.preview.samples=4",
        )
