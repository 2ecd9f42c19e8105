"""Guidance by CLIP, with a tiny one of random weights as transformers saves it."""

import json
from contextlib import suppress

import pytest
import torch
from PIL import Image
from polydiff_image.clip import MEAN, STD, Clip, ClipGuidance
from polydiff_image.pixels import Pixels

import polydiff
from polydiff.core.noise import Seeds
from polydiff.core.oracle import Gaussian
from polydiff.errors import UsageError
from polydiff.model.latent import Latent
from polydiff.nn.autoencoder import Autoencoder, Posterior
from polydiff.torchaudio_loader import load_torchaudio

with suppress(ImportError):
    load_torchaudio()  # transformers fails where it is installed and cannot be loaded
transformers = pytest.importorskip("transformers")


@pytest.fixture
def folder(clip_folder):
    return clip_folder


@pytest.fixture(scope="module")
def codec():
    return Pixels(16)


@pytest.fixture
def data():
    return Gaussian(torch.zeros(3, 16, 16), torch.tensor(0.7), polydiff.schedule("cosine"))


def test_logits_are_transformers_own(folder):
    """Of pictures of CLIP's own size, which its processor only normalises."""
    colours = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    clip = Clip(folder)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    tokens = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)(
        ["a bad cab"], return_tensors="pt"
    )
    with torch.no_grad():
        expected = clip.model(pixel_values=(colours - mean) / std, **tokens).logits_per_image[:, 0]
        torch.testing.assert_close(clip.logits(colours, clip.text("a bad cab")), expected)
    assert not torch.allclose(clip.text("a bad cab"), clip.text("a cab"))


def test_pictures_of_another_size_are_seen_as_clip_was_shown_them(folder):
    """Antialiased to the shorter side, the middle cut out: as Pillow does it, to its rounding."""
    picture = Image.effect_noise((64, 40), 90).convert("RGB").resize((256, 160))
    x = Pixels((256, 160)).encode(picture)[None]
    shrunk = picture.resize((26, 16), Image.Resampling.BICUBIC).crop((5, 0, 21, 16))
    clip = Clip(folder)
    ours = clip.pictures(Pixels((256, 160)).colours(x))
    theirs = clip.pictures(Pixels(16).colours(Pixels(16).encode(shrunk)[None]))
    torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0)


def test_statistics_are_those_of_the_folder(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    said = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    clip = Clip(tmp_path)
    assert clip.mean.flatten().tolist() == said["image_mean"]
    assert clip.std.flatten().tolist() == said["image_std"]


@pytest.mark.parametrize("through", [True, False])
def test_guidance_is_by_the_gradient_of_the_logit(folder, codec, data, through):
    guided = ClipGuidance(data, codec, model=folder, prompt="a bad cab", scale=0.2, through=through)
    clip, t = Clip(folder), torch.tensor(0.5)
    x_t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    leaf = (x_t if through else data(x_t, t)).requires_grad_()
    x0 = data(leaf, t) if through else leaf
    (gradient,) = torch.autograd.grad(clip.logits((x0.clamp(-1, 1) + 1) / 2, clip.text("a bad cab")).sum(), leaf)
    alpha, sigma = data.schedule(t)
    gain = sigma**2 / alpha if through else sigma**2 / (alpha**2 + sigma**2)
    with torch.no_grad():
        torch.testing.assert_close(guided(x_t, t), x0 + 0.2 * gain * gradient, rtol=1e-4, atol=1e-5)


class Turned(Autoencoder):
    """Latents that are the pictures with their colours turned."""

    def latent_shape(self, shape):
        return shape

    def encode(self, x):
        return Posterior(x.roll(1, 1), torch.zeros_like(x))

    def decode(self, z):
        return z.roll(-1, 1)


def test_guidance_sees_through_latents(folder, codec, data):
    """Of unit scale here; the gradient comes through the decoder."""
    latent = Latent(codec, Turned((3, 16, 16)))
    x_t, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor(0.5)
    options = {"model": folder, "prompt": "a bad cab", "scale": 0.2}
    of_pictures = ClipGuidance(data, codec, **options)(x_t, t)
    of_latents = ClipGuidance(data, latent, **options)(x_t.roll(1, 1), t)
    torch.testing.assert_close(of_latents.roll(-1, 1), of_pictures)
    assert not torch.allclose(of_pictures, data(x_t, t))


def test_pictures_come_to_fit_the_text(folder, codec, data):
    seeds = Seeds(0, range(4))
    x_1 = polydiff.prior(data.schedule, seeds, codec.shape)
    walk, clip = polydiff.sampler("ddim").sample, Clip(folder)
    fits = []
    for scale in (0.0, 1.0, 4.0):
        guided = polydiff.guidance("clip", data, codec=codec, model=folder, prompt="a bad cab", scale=scale)
        x_0 = walk(guided, x_1, steps=10)
        fits.append(clip.logits(codec.colours(x_0), clip.text("a bad cab")).mean().item())
    assert fits[0] < fits[1] < fits[2]
    assert torch.equal(
        walk(polydiff.guidance("clip", data, codec=codec, model=folder, prompt="a", scale=0.0), x_1, steps=3),
        walk(data, x_1, steps=3),
    )


def test_a_model_takes_it_from_its_recipe(folder):
    from polydiff.model import Model
    from polydiff.recipe.component import Component
    from polydiff.recipe.schema import ModelConfig, SampleConfig

    torch.manual_seed(0)
    clip = Component("clip", {"model": str(folder), "prompt": "a bad cab", "scale": 2.0})
    net = Component("unet2d", {"channels": 8, "multipliers": [1, 1], "blocks": 1, "head_width": 8})
    config = ModelConfig(
        modality="image",
        codec=Component("pixels", {"size": 8, "channels": 1}),
        backbone=net,
        sample=SampleConfig(steps=3, guidance=[clip]),
    )
    model = Model.from_config(config).eval()
    torch.nn.init.normal_(model.backbone.up[0].leave[2].weight, std=0.1)
    guided, plain = model.generate(2), model.generate(2, guidance=[])
    assert [picture.size for picture in guided] == [(8, 8)] * 2
    assert guided[0].tobytes() != plain[0].tobytes()
    assert not any("clip" in name for name in model.state_dict())


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_colours_are_what_decode_shows(channels, mode):
    codec = Pixels(6, channels, background="#ff8000") if channels != 1 else Pixels(6, 1)
    x = torch.randn(2, channels, 6, 6, generator=torch.Generator().manual_seed(3)).requires_grad_()
    colours = codec.colours(x)
    for picture, ours in zip(codec.decode(x), colours, strict=True):
        assert picture.mode == mode
        ground = Image.new("RGBA", picture.size, "#ff8000")
        shown = Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")
        theirs = Pixels(6).encode(shown).add(1).div(2)
        torch.testing.assert_close(ours, theirs, atol=1.6 / 255, rtol=0)
    assert torch.autograd.grad(colours.sum(), x)[0].abs().sum() > 0


def test_what_will_not_do_is_refused(folder, codec, data, tmp_path):
    with pytest.raises(UsageError, match="holds no CLIP model"):
        ClipGuidance(data, codec, model=tmp_path, prompt="a")
    with pytest.raises(UsageError, match="15 tokens; this CLIP reads 12"):
        ClipGuidance(data, codec, model=folder, prompt="a b c d e f g h i j a b c")
    with pytest.raises(UsageError, match="codec shows pictures"):
        ClipGuidance(data, torch.nn.Identity(), model=folder, prompt="a")
