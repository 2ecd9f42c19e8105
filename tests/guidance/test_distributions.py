"""What guidance does to samples: the distance to the class that is asked for, as the literature reports its effect."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment

import polydiff
from polydiff.core.oracle import Mixture

COUNT, STD = 800, 0.3


def classes(blur=1.0):
    means = torch.tensor([[0.0, 1.0], [-0.9, -0.5], [0.9, -0.5]], dtype=torch.float64)
    stds = torch.full((3,), blur * STD, dtype=torch.float64)
    return Mixture(means, stds, torch.ones(3, dtype=torch.float64), polydiff.schedule("cosine"))


def distance(denoiser):
    """W2 between samples of the first class and data of it."""
    first = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).expand(COUNT, 3)
    x_1 = polydiff.prior(denoiser.schedule, polydiff.Seeds(0, range(COUNT)), (2,)).double()
    x = polydiff.sampler("dpm++2m").sample(denoiser, x_1, steps=20, cond=polydiff.Condition(vector=first))
    noise = torch.randn(COUNT, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cost = torch.cdist(x, classes().means[0] + STD * noise).square().numpy()
    return cost[linear_sum_assignment(cost)].mean() ** 0.5


@pytest.fixture(scope="module")
def cfg():
    """The distance that guidance of scale 4 leaves, several times that of no guidance."""
    plain, guided = (distance(polydiff.guidance("cfg", classes(), scale=scale)) for scale in (1.0, 4.0))
    assert guided > 4 * plain
    return guided


@pytest.mark.parametrize(
    ("name", "options", "share"),
    [
        ("cfg", {"scale": 4.0, "interval": (0.3, 0.7)}, 0.7),
        ("cfg", {"scale": 4.0, "interval": (0.0, 0.5)}, 0.75),
        ("cfg", {"scale": 4.0, "rescale": 0.7}, 0.6),
        ("apg", {"scale": 4.0}, 0.4),
        ("cfg-zero*", {"scale": 4.0}, 0.7),
    ],
)
def test_less_is_overshot_at_the_same_scale(cfg, name, options, share):
    assert distance(polydiff.guidance(name, classes(), **options)) < share * cfg


def test_autoguidance_mends_what_a_weaker_model_errs_in_more():
    model, weaker = classes(1.3), classes(1.3**2)
    assert distance(polydiff.guidance("autoguidance", model, weaker=weaker, scale=2.0)) < 0.55 * distance(model)
