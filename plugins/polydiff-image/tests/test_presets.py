"""The recipes that come with the plugin."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from polydiff.core.condition import ConditionDims
from polydiff.plugins.specs import AugmentationSpec, BackboneSpec, CodecSpec, SourceSpec
from polydiff.recipe.build import build, resolve
from polydiff.recipe.load import load_recipe

PRESETS = Path(__file__).parents[1] / "polydiff_image" / "presets"


@pytest.fixture
def photos(tmp_path):
    Image.new("RGB", (80, 70)).save(tmp_path / "a.png")
    return tmp_path


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [
        ("digits", (0.5e6, 1.5e6)),
        ("glyphs", (3e6, 5e6)),
        ("scenes", (3e6, 5e6)),
        ("folder-64", (1e7, 4e7)),
    ],
)
def test_a_preset_fits_together(preset, parameters, photos):
    overrides = [f"data.source.path={photos}"] if preset == "folder-64" else []
    recipe = resolve(load_recipe(PRESETS / f"{preset}.yaml", overrides))
    codec = build(CodecSpec, recipe.codec, modality="image")
    source = build(SourceSpec, recipe.data.source, modality="image")
    dims = ConditionDims(vector=8, tokens=8 if recipe.backbone.options["layout"] else 0)
    backbone = build(BackboneSpec, recipe.backbone, data_channels=codec.channels, condition=dims)
    backbone.check_shape(codec.shape)
    for change in recipe.data.augment:
        build(AugmentationSpec, change, modality="image")
    x = codec.encode(source[0].content)[None]
    assert backbone(x, torch.zeros(1)).shape == (1, *codec.shape)
    low, high = parameters
    assert low < sum(parameter.numel() for parameter in backbone.parameters()) < high


def test_every_preset_is_tested():
    assert {path.stem for path in PRESETS.iterdir()} - {"glyphs-codec", "glyphs-latent", "scenes-pair"} == {
        "digits",
        "glyphs",
        "scenes",
        "folder-64",
    }
