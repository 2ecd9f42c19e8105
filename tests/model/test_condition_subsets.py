"""Several conditions of one model: each can be left out, of all samples or of some, as if it had never been given."""

import itertools

import pytest
import torch
from PIL import Image

from polydiff.errors import UsageError
from polydiff.model.model import Model
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.schema import ModelConfig
from polydiff.testing.small_run import shaken

CONDITIONS = {
    "caption": ConditionConfig("text", {"length": 6, "width": 32, "layers": 1}),
    "title": ConditionConfig("text", {"length": 3, "width": 32, "layers": 1, "unit": "bytes"}),
    "label": ConditionConfig("class", {"classes": ["a", "b"], "width": 32}),
    "tags": ConditionConfig("multi-label", {"classes": ["x", "y"], "width": 32}),
    "content": ConditionConfig("tensor", {"shrink": 2}),
}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    backbone = {"channels": 8, "multipliers": [1, 1], "blocks": 1, "head_width": 8, "attention": [0, 1]}
    config = ModelConfig(
        modality="image",
        codec=Component("pixels", {"size": 8, "channels": 1}),
        backbone=Component("unet2d", backbone),
        conditions=CONDITIONS,
    )
    return shaken(Model.from_config(config))


@pytest.fixture(scope="module")
def values(model):
    pictures = [Image.effect_noise((8, 8), 50.0 + i) for i in range(3)]
    facts = {
        "caption": ["one two three four five six", "red", "a b"],
        "title": ["abc", "d", "é"],
        "label": ["a", "b", "a"],
        "tags": ["x", "none", "x+y"],
        "content": pictures,
    }
    return {name: [model.conditioners[name].prepare(fact) for fact in each] for name, each in facts.items()}


def subsets(names):
    return itertools.chain.from_iterable(itertools.combinations(names, n) for n in range(len(names) + 1))


@torch.no_grad()
def test_dropped_is_never_given_bit_for_bit(model, values):
    x, t = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0.2, 0.5, 0.9])
    everything = model.denoiser(x, t, model.condition(values))
    outputs = []
    for names in subsets(values):
        given = model.denoiser(x, t, model.condition({name: values[name] for name in names}))
        dropped = {name: each if name in names else [None] * 3 for name, each in values.items()}
        assert torch.equal(model.denoiser(x, t, model.condition(dropped)), given)
        some = {name: each if name in names else [each[0], None, None] for name, each in values.items()}
        among_others = model.denoiser(x, t, model.condition(some))
        assert torch.equal(among_others[1:], given[1:])
        assert torch.equal(among_others[0], everything[0])
        outputs.append(given)
    for one, other in itertools.combinations(outputs, 2):
        assert (one - other).abs().max() > 1e-4


def test_a_small_picture_is_seen_small(model):
    tensor = model.conditioners["content"]
    picture = Image.linear_gradient("L").resize((8, 8))
    seen = torch.from_numpy(tensor.prepare(picture))
    whole = model.codec.encode(picture)
    small = whole.reshape(1, 4, 2, 4, 2).mean((2, 4))
    torch.testing.assert_close(
        seen, torch.nn.functional.interpolate(small[None], (8, 8), mode="bilinear", align_corners=False)[0]
    )
    channels = tensor([tensor.prepare(picture), None]).channels
    assert channels.shape == (2, 2, 8, 8)
    assert (channels[0, 1] == 1).all()
    assert not channels[1].any()


def test_files_are_read_as_the_modality_reads_them(model, tmp_path):
    picture = Image.effect_noise((8, 8), 50.0)
    picture.save(tmp_path / "noise.png")
    tensor = model.conditioners["content"]
    read = tensor.parse(str(tmp_path / "noise.png"))
    assert (read == tensor.prepare(picture)).all()
    (tmp_path / "text.png").write_text("none")
    for name in ("text.png", "missing.png"):
        with pytest.raises(UsageError, match=name):
            tensor.parse(str(tmp_path / name))


def test_the_codec_is_saved_once(model):
    assert not [name for name in model.state_dict() if "codec" in name and not name.startswith("codec")]
