"""A contrastive pair of pictures and texts: files, retrieval, alignment and guidance."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import polydiff
from polydiff.cli.main import main
from polydiff.core.oracle import Gaussian
from polydiff.guidance.energy import Energy
from polydiff.model.pair import Pair
from polydiff.model.pair_guidance import PairGuidance
from polydiff.plugins.host import host
from polydiff.plugins.specs import SourceSpec
from polydiff.recipe.build import build
from polydiff.recipe.load import load_recipe

COLOURS = {"red": (230, 40, 40), "green": (40, 200, 60), "blue": (50, 80, 240), "white": (250, 250, 250)}
CAPTIONS = [f"a {colour} half on the {side}" for colour in COLOURS for side in ("left", "right")]

RECIPE = """
modality: image
codec: {{name: pixels, size: 8, channels: 3}}
contrastive: {{encoder: {{name: grid, channels: 8, multipliers: [1, 2], places: 2}}, width: 16}}
conditions: {{caption: {{name: text, length: 8, width: 32, layers: 1}}}}
data: {{source: {{name: folder, path: {path}}}, validation: {{name: folder, path: {path}}}}}
train:
  steps: 100
  batch: 8
  optimizer: {{lr: 5e-3, warmup: 5}}
  ema: {{decay: 0.8}}
  validation: {{samples: 8}}
  preview: {{samples: 8}}
"""


def half(caption, size=8):
    levels = np.zeros((size, size, 3), np.uint8)
    where = slice(0, size // 2) if caption.endswith("left") else slice(size // 2, size)
    levels[:, where] = COLOURS[caption.split()[1]]
    return Image.fromarray(levels)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Eight pictures with captions, and the run of a pair that was trained on them."""
    place = tmp_path_factory.mktemp("pair")
    pictures = place / "pictures"
    pictures.mkdir()
    lines = []
    for i, caption in enumerate(CAPTIONS):
        half(caption).save(pictures / f"{i}.png")
        lines.append(json.dumps({"file_name": f"{i}.png", "caption": caption}))
    (pictures / "metadata.jsonl").write_text("\n".join(lines))
    (place / "pair.yaml").write_text(RECIPE.format(path=pictures))
    assert main(["train", str(place / "pair.yaml"), "--out", str(place / "run"), "--accelerator", "cpu"]) == 0
    return place


@pytest.fixture
def run(place, monkeypatch):
    monkeypatch.chdir(place)
    return "run"


def test_each_picture_finds_its_caption_and_each_caption_its_picture(run):
    pair = polydiff.load_pair(run)
    cosines = pair.embed([half(caption) for caption in CAPTIONS]) @ pair.embed_texts(CAPTIONS).T
    assert cosines.argmax(0).tolist() == cosines.argmax(1).tolist() == list(range(8))


def test_alignment_of_the_data(run, place, capsys):
    assert main(["align", run, "pictures", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["retrieval"], found["candidates"], found["contents"], found["untold"]) == (1.0, 8, 8, 0)
    assert found["cosine"] > found["other"] + 0.3
    assert found["fact"] == "caption"
    assert len(found["pair"]) == 64
    assert main(["align", run, "pictures"]) == 0
    assert "own caption nearest of 8  100.0%" in capsys.readouterr().out


def test_alignment_of_what_was_generated_is_with_what_was_asked_for(run, tmp_path, capsys):
    """The sheet in the folder is no sample, and captions that were not met are told."""
    records = []
    for i, (asked, drawn) in enumerate(zip(CAPTIONS[:4], [*CAPTIONS[:2], CAPTIONS[3], CAPTIONS[2]], strict=True)):
        half(drawn).save(tmp_path / f"0000{i}.png")
        records.append(json.dumps({"index": i, "file": f"0000{i}.png", "conditions": {"caption": asked}}))
    half(CAPTIONS[0], 24).save(tmp_path / "sheet.png")
    (tmp_path / "samples.jsonl").write_text("\n".join(records))
    assert main(["align", run, str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["contents"] == found["candidates"] == 4
    assert found["retrieval"] == 0.5
    (tmp_path / "00000.png").unlink()
    assert main(["align", run, str(tmp_path)]) == 3
    assert "00000.png, which samples.jsonl tells of, cannot be read" in capsys.readouterr().err
    (tmp_path / "samples.jsonl").write_text("{}")
    assert main(["align", run, str(tmp_path)]) == 2
    assert "samples.jsonl:1 is not a line that a generation wrote" in capsys.readouterr().err


def test_vectors_go_to_files_with_their_names_and_without_pickles(run, tmp_path, capsys):
    asked = ["embed", run, "pictures", "pictures/3.png", "--prompt", CAPTIONS[0], "--batch", "3"]
    for ending in ("npz", "safetensors"):
        assert main([*asked, "--out", str(tmp_path / f"x.{ending}")]) == 0
        assert "10 vectors of 16 numbers" in capsys.readouterr().out
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        names, vectors = file["names"].tolist(), file["embeddings"]
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert json.loads(file.metadata()["names"]) == names
        assert torch.equal(file.get_tensor("embeddings"), torch.from_numpy(vectors))
    assert names == [*(f"pictures/{i}.png" for i in range(8)), "pictures/3.png", CAPTIONS[0]]
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[3], vectors[8], atol=1e-6)
    assert main([*asked, "--out", str(tmp_path / "x.npz")]) == 2
    assert "exists: choose another, or --overwrite it" in capsys.readouterr().err
    assert main([*asked, "--out", str(tmp_path / "x.npz"), "--overwrite"]) == 0


def test_the_nearest_to_a_text_and_to_a_picture(run, tmp_path, capsys):
    half(CAPTIONS[5]).save(tmp_path / "query.png")
    query = str(tmp_path / "query.png")
    looked = ["embed", run, "pictures", "--nearest", CAPTIONS[2], "--like", query, "-k", "2"]
    assert main([*looked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["nearest"]
    assert [each["name"] for each in (found[CAPTIONS[2]][0], found[query][0])] == ["pictures/2.png", "pictures/5.png"]
    assert found[query][0]["cosine"] == pytest.approx(1, abs=1e-5)
    assert len(found[query]) == 2
    assert main(looked) == 0
    assert f"NEAREST TO {CAPTIONS[2]}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--out", "x.npz"), 2, "there is nothing to embed"),
        (("pictures",), 2, "say where the vectors go"),
        (("pictures", "--out", "x.pkl"), 2, "the ending says which file it is, .npz or .safetensors"),
        (("pictures", "--out", "nowhere/x.npz"), 2, "there is no folder"),
        (("missing.png", "--out", "x.npz"), 3, "missing.png: no such file"),
        (("pair.yaml", "--out", "x.npz"), 3, "pair.yaml"),
        (("empty", "--out", "x.npz"), 3, "empty"),
        (("--prompt", "a b c d e f g h i", "--out", "x.npz"), 2, "has 9 words; 8 are read at most"),
        (("--condition", "captoin=a", "--out", "x.npz"), 2, "unknown condition 'captoin'; did you mean 'caption'"),
        (("--promt", "a", "--out", "x.npz"), 2, "--promt"),
    ],
)
def test_bad_input_is_refused_in_a_line(run, place, capsys, arguments, code, message):
    (place / "empty").mkdir(exist_ok=True)
    assert main(["embed", run, *arguments]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (place / "x.npz").exists()


def test_a_diffusion_model_embeds_what_it_is_conditioned_on(place, run, tmp_path, capsys):
    recipe = place / "model.yaml"
    recipe.write_text(
        "modality: image\ncodec: {name: pixels, size: 8, channels: 3}\n"
        "backbone: {name: unet2d, channels: 8, head_width: 8}\n"
        "conditions: {caption: {name: text, length: 8, width: 32, pooled: false}}\n"
        f"data: {{source: {{name: folder, path: {place / 'pictures'}}}}}\ntrain: {{steps: 1, batch: 2}}\n"
    )
    assert main(["train", str(recipe), "--out", str(tmp_path / "model"), "--accelerator", "cpu"]) == 0
    model = str(tmp_path / "model")
    capsys.readouterr()
    looked = ["embed", model, "--prompt", CAPTIONS[0], "--prompt", CAPTIONS[7], "--nearest", CAPTIONS[7], "--json"]
    assert main(looked) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["width"] == 32
    assert found["nearest"][CAPTIONS[7]][0]["name"] == CAPTIONS[7]
    assert main(["embed", model, "pictures", "--out", str(tmp_path / "x.npz")]) == 2
    assert "is a diffusion model, which has vectors of its conditions alone" in capsys.readouterr().err
    assert main(["align", model, "pictures"]) == 2
    assert "is a diffusion model" in capsys.readouterr().err


@pytest.mark.parametrize("through", [True, False])
def test_guidance_is_by_the_gradient_of_the_logit(run, through):
    """On exactly known data, whose samples then fit the text better."""
    pair = polydiff.load_pair(run)
    data = Gaussian(torch.zeros(3, 8, 8), torch.tensor(0.7), polydiff.schedule("cosine"))
    guided = PairGuidance(data, pair.codec, pair.config, model=run, prompt=CAPTIONS[2], scale=0.5, through=through)
    text = pair.embed_texts([CAPTIONS[2]])[0]

    def logit(x0, t, cond):
        return pair.log_scale.exp() * (pair.of_data(x0) @ text)

    plain = Energy(data, score=logit, scale=0.5, through=through)
    x_t, t = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor(0.5)
    with torch.no_grad():
        torch.testing.assert_close(guided(x_t, t), plain(x_t, t))
    seeds = polydiff.Seeds(0, range(8))
    noise = polydiff.prior(data.schedule, seeds, (3, 8, 8), torch.device("cpu"))
    with torch.no_grad():
        fits = [
            pair.of_data(polydiff.sampler("ddim").sample(each, noise, steps=12, seeds=seeds).float()) @ text
            for each in (data, guided)
        ]
    assert float((fits[1] - fits[0]).min()) > 0
    assert float(fits[1].mean()) > float(fits[0].mean()) + 0.1


def test_the_preset_fits_together():
    recipe = load_recipe(host().preset("scenes-pair"))
    pair = Pair.from_config(recipe)
    scenes = build(SourceSpec, recipe.data.source, modality="image")
    assert pair.embed([scenes[i].content for i in range(2)]).shape == (2, 128)
    assert pair.embed_texts([scenes[0].caption]).shape == (1, 128)
    assert 1e6 < sum(parameter.numel() for parameter in pair.parameters()) < 2e6
