"""The reconstruction loss that sees as CLIP does."""

import pytest
import torch
from polydiff_image.clip import Clip
from polydiff_image.perceptual import PerceptualLoss
from polydiff_image.pixels import Pixels

from polydiff.errors import UsageError
from polydiff.testing import train_codec


@pytest.fixture
def pictures():
    return torch.rand(2, 3, 3, 20, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_it_is_the_mean_distance_of_unit_features_over_places_and_layers(clip_folder, pictures):
    loss, clip = PerceptualLoss(Pixels((20, 16)), model=clip_folder), Clip(clip_folder)
    y, x = pictures
    with torch.no_grad():
        seen = [
            clip.model.vision_model(
                pixel_values=((each[:, :, 2:18] + 1) / 2 - clip.mean) / clip.std, output_hidden_states=True
            ).hidden_states
            for each in (y, x)
        ]
    assert len(seen[0]) == 3
    cosines = torch.stack([torch.cosine_similarity(a, b, dim=-1) for a, b in zip(*seen, strict=True)])
    torch.testing.assert_close(loss(y, x), (2 - 2 * cosines).mean((0, 2)))
    assert not loss(x, x).any()


def test_its_gradient_goes_to_what_came_back_and_leads_to_the_data(clip_folder, pictures):
    loss = PerceptualLoss(Pixels(16), model=clip_folder)
    y, x = pictures[:, :, :, :16]
    before = {name: p.clone() for name, p in loss.clip.named_parameters()}
    first, y = loss(y, x), y.requires_grad_()
    moving = torch.optim.Adam([y], lr=0.02)
    for _ in range(20):
        moving.zero_grad()
        loss(y, x).sum().backward()
        moving.step()
    assert (loss(y, x) < 0.7 * first).all()
    assert all(p.grad is None and torch.equal(p, before[name]) for name, p in loss.clip.named_parameters())


def test_a_codec_learns_by_it_beside_another(clip_folder, tmp_path):
    terms = f"[l1, {{name: perceptual, weight: 0.1, model: {clip_folder}}}]"
    small = ("autoencoder.channels=8", "data={source: {name: digits}, holdout: 0.1}", "train.steps=30", "train.batch=8")
    train_codec("glyphs-codec", [f"objective.reconstruction={terms}", *small], tmp_path)


def test_what_is_no_codec_of_pictures_is_refused(clip_folder):
    with pytest.raises(UsageError, match="'perceptual' needs a codec that shows pictures"):
        PerceptualLoss(torch.nn.Identity(), model=clip_folder)
