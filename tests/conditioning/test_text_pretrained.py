"""Frozen encoders: a tiny T5, a CLIP text model and a whole CLIP, of random weights, as transformers saves them."""

import copy
import json
from contextlib import suppress
from dataclasses import dataclass

import pytest
import torch

import polydiff
from polydiff.conditioning.encoder import Encoder
from polydiff.conditioning.text_pretrained import TextPretrained
from polydiff.core.condition import ConditionDims
from polydiff.errors import DataError, UsageError
from polydiff.model.model import Model
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.schema import ModelConfig, SampleConfig
from polydiff.testing.small_run import shaken
from polydiff.torchaudio_loader import load_torchaudio

with suppress(ImportError):
    load_torchaudio()  # transformers fails where it is installed and cannot be loaded
transformers = pytest.importorskip("transformers")

TEXTS = ["a bad cab", "", "a (bad:1.5) cab fed a big deaf bee", "a cab"]


def randomised(model, folder):
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t5")
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2, "num_heads": 2}
    pieces = ["<pad>", "</s>", "<unk>", "▁", *"abcdefghi", "▁a", "▁b", "▁c", "ad", "ab"]
    randomised(transformers.T5EncoderModel(transformers.T5Config(vocab_size=len(pieces), **sizes)), folder)
    vocabulary = [(piece, 0.0 if piece[0] == "<" else -float(i)) for i, piece in enumerate(pieces)]
    transformers.T5Tokenizer(vocab=vocabulary, extra_ids=0).save_pretrained(folder)
    return folder


def clip_parts():
    words = ["<|startoftext|>", "<|endoftext|>", *(letter + end for letter in "abcdefghi" for end in ("", "</w>"))]
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**sizes, **ends, "vocab_size": len(words), "max_position_embeddings": 40}
    return text, sizes, transformers.CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[])


@pytest.fixture(scope="module")
def clip_text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip-text")
    text, _, tokenizer = clip_parts()
    randomised(transformers.CLIPTextModel(transformers.CLIPTextConfig(**text)), folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    text, sizes, tokenizer = clip_parts()
    vision = {**sizes, "image_size": 16, "patch_size": 4}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    randomised(transformers.CLIPModel(config), folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(params=["t5", "clip_text", "clip"])
def folder(request):
    return request.getfixturevalue(request.param)


def conditioner(folder, **options):
    torch.manual_seed(1)
    return TextPretrained(model=str(folder), **{"length": 32, "width": 8, **options}).eval()


def reference(folder, text):
    """The hidden states by transformers alone."""
    kind = {"t5": transformers.T5EncoderModel, "clip_text_model": transformers.CLIPTextModel}
    model_type = json.loads((folder / "config.json").read_text())["model_type"]
    if model_type == "clip":
        model = transformers.CLIPModel.from_pretrained(folder).text_model
    else:
        model = kind[model_type].from_pretrained(folder)
    inputs = transformers.AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**inputs).last_hidden_state[0]


def test_hidden_states_are_transformers_own(folder):
    text = conditioner(folder)
    cond = text([text.parse("a bad cab")])
    expected = reference(folder, "a bad cab")
    count = len(expected)
    torch.testing.assert_close(cond.tokens[0, :count], text.project(text.norm(expected)), rtol=1e-4, atol=1e-5)
    assert cond.mask[0].tolist() == [True] * count + [False] * (32 - count)
    torch.testing.assert_close(cond.vector[0], text.pooled(cond.tokens[0, :count].mean(0)))
    assert text.dims == ConditionDims(vector=8, tokens=8)


def test_the_same_text_alone_and_among_others(folder):
    text = conditioner(folder)
    together = text([None, *(text.parse(each) for each in TEXTS)])
    assert not together.mask[0].any()
    assert not together.mask[2].any()
    assert not together.vector[[0, 2]].any()
    for i, each in enumerate(TEXTS):
        alone = conditioner(folder)([text.parse(each)])
        torch.testing.assert_close(alone.tokens[0], together.tokens[i + 1], rtol=0, atol=1e-6)


def test_a_weight_multiplies_its_parts_tokens(clip_text):
    text = conditioner(clip_text)
    plain, weighted = (text([text.parse(each)]).tokens[0] for each in ("a bad cab", "a (bad:3) cab"))
    ratio = (weighted / plain)[: len(text.encoder.ids("a bad cab"))].mean(1)
    torch.testing.assert_close(ratio, torch.tensor([1.0, 1, 3, 3, 3, 1, 1, 1, 1]), rtol=1e-4, atol=1e-4)


def test_what_is_kept_on_disk_is_what_is_made(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("POLYDIFF_CACHE", str(tmp_path))
    made = conditioner(folder, cache=True)
    first = made([made.parse("a cab")])
    assert len(list((tmp_path / "texts").rglob("*.safetensors"))) == 1
    again = conditioner(folder, cache=True)
    monkeypatch.setattr(Encoder, "__call__", None)
    second = again([again.parse("a cab")])
    assert torch.equal(first.tokens, second.tokens)


def test_the_encoder_is_neither_saved_nor_copied_nor_trained(folder):
    text = conditioner(folder)
    assert {name.split(".")[0] for name in text.state_dict()} == {"norm", "project", "pooled"}
    assert copy.deepcopy(text).encoder is text.encoder
    load, named = text.encoder.__reduce__()
    assert load(*named) is text.encoder
    cond = text([text.parse("a cab"), None])
    (cond.tokens.sum() + cond.vector.sum()).backward()
    assert all(parameter.grad is not None for parameter in text.parameters())
    assert all(parameter.grad is None for parameter in text.encoder.network.parameters())


def test_long_texts_are_refused_or_cut_by_choice(t5):
    refusing, cutting = conditioner(t5, length=4), conditioner(t5, length=4, too_long="truncate")
    with pytest.raises(DataError, match="has 11 tokens; 4 are read at most"):
        refusing.prepare("a bad cab")
    with pytest.raises(UsageError, match="4 are read at most"):
        refusing.parse("a bad cab")
    assert cutting([cutting.parse("a bad cab")]).mask.sum() == 4
    assert cutting.unread("a bad cab") == "bad cab"
    assert cutting.unread("a") == ""


def test_another_encoder_is_refused(t5, clip_text):
    digest = Encoder(str(t5), None).digest
    assert conditioner(t5, digest=digest)
    with pytest.raises(UsageError, match="is not the text encoder that the model was trained with"):
        conditioner(clip_text, digest=digest)


@dataclass
class Captioned:
    caption: str | None
    facts: tuple = ("caption",)

    def get(self, key):
        return self.caption


def test_training_writes_down_which_encoder_it_is(t5, monkeypatch):
    monkeypatch.chdir(t5.parent)
    options = TextPretrained.options_from([Captioned("a")], "caption", {"model": t5.name})
    assert options == {"model": str(t5), "digest": Encoder(str(t5), None).digest}


def test_what_is_no_encoder_is_refused(tmp_path, clip_text):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="is no text encoder of transformers"):
        conditioner(tmp_path)
    with pytest.raises(UsageError, match="at most 40, what the encoder reads"):
        conditioner(clip_text, length=41)


def test_pickled_weights_are_refused(tmp_path, t5):
    for file in t5.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UsageError, match="is no text encoder"):
        conditioner(tmp_path)


def test_a_model_that_is_told_by_an_encoder_comes_back_the_same(folder, tmp_path):
    torch.manual_seed(0)
    digest = Encoder(str(folder), None).digest
    options = {"model": str(folder), "digest": digest, "length": 32, "width": 8}
    config = ModelConfig(
        modality="image",
        codec=Component("pixels", {"size": 4, "channels": 1}),
        backbone=Component("unet2d", {"channels": 8, "multipliers": [1, 1], "blocks": 1, "head_width": 8}),
        conditions={"caption": ConditionConfig("text-pretrained", options)},
        sample=SampleConfig(steps=2),
    )
    model = shaken(Model.from_config(config))
    model.save(tmp_path / "model")
    loaded = polydiff.load(tmp_path / "model")
    assert not [name for name in loaded.state_dict() if "encoder" in name]
    texts = ["a bad cab", "a (bad:2) cab", "fed"]
    made, again = (each.generate(3, caption=texts, negative="bee", guidance=3.0) for each in (model, loaded))
    assert [picture.tobytes() for picture in made] == [picture.tobytes() for picture in again]
    assert len({picture.tobytes() for picture in made}) == 3
