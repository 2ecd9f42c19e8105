"""Features of two networks, compared."""

import pytest
import torch
from torch import nn

from polydiff.core.noise import Seeds
from polydiff.distillation.features import feature_distance, features
from polydiff.distillation.match import Match
from polydiff.errors import UsageError
from polydiff.training.teacher import Teacher
from polydiff.training.weighting import Constant


class Layered(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(2, width, 1), nn.Conv1d(width, width, 1)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def seen(network, x):
    with features(network) as found:
        network(x)
    return found


@pytest.fixture
def x():
    return torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))


def test_layers_are_seen_inside_alone(x):
    network = Layered(4)
    found = seen(network, x)
    assert torch.equal(found["layers.1"], network(x))
    found.clear()
    network(x)
    assert not found


def test_features_of_one_shape_are_compared_number_by_number(x):
    found = seen(Layered(4), x)
    assert torch.equal(feature_distance(found, found), torch.zeros(3))
    doubled = {path: 2 * feature for path, feature in found.items()}
    torch.testing.assert_close(feature_distance(doubled, found), torch.zeros(3))
    turned = {path: -feature for path, feature in found.items()}
    torch.testing.assert_close(feature_distance(turned, found), torch.full((3,), 4.0))


def test_features_of_other_widths_are_compared_by_where_their_energy_lies():
    wide = {"a": torch.tensor([[[3.0, 0.0], [4.0, 0.0]]])}  # both channels at the first place
    narrow = {"a": torch.tensor([[[0.0, 7.0]]])}  # at the second
    assert feature_distance(narrow, wide) == 2  # of two unit vectors at a right angle
    assert feature_distance({"a": torch.tensor([[[7.0, 0.0]]])}, wide) == 0


def test_a_gradient_reaches_all_layers_but_what_comes_after_the_last(x):
    network = Layered(3)
    feature_distance(seen(network, x), {k: v.detach() for k, v in seen(Layered(4), x).items()}).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("other", [{}, {"b": torch.ones(3, 4, 5)}, {"a": torch.ones(3, 5, 6)}, {"a": torch.ones(3, 4)}])
def test_networks_that_share_nothing_are_refused(other):
    with pytest.raises(UsageError, match="no layer of the student's network can be compared"):
        feature_distance({"a": torch.ones(3, 4, 5)}, other)


def test_features_count_beside_the_output(toy_model):
    model = toy_model("a", "b")
    student = toy_model("a", "b")
    for net in (model, student):
        net.denoiser.backbone.layers = nn.ModuleList([net.denoiser.backbone.into])
    nn.init.normal_(student.denoiser.backbone.into.weight)
    seeds = Seeds(0, range(4))
    x0, eps = (seeds.normal(model.codec.shape, stream=each) for each in (0, 1))
    losses = []
    for weight in (0.0, 1.0, 2.0):
        match = Match(teacher=Teacher(model), weighting=Constant(), times=[1.0, 0.5, 0.0], features=weight)
        t = match.times(torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=torch.float64), model.denoiser.schedule)
        told = match.condition(student, {"label": [0, 1, None, 0]}, seeds)
        losses.append(match.losses(student.denoiser, x0, t, eps, told).detach())
    none, once, twice = losses
    assert (once > none).all()
    torch.testing.assert_close(twice - once, once - none)


def test_a_negative_weight_is_refused(toy_model):
    with pytest.raises(UsageError, match="takes finite features >= 0, not -1"):
        Match(teacher=Teacher(toy_model()), weighting=Constant(), times=[1.0, 0.0], features=-1.0)
