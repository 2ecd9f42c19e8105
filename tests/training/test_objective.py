"""The loss of a batch."""

import math

import pytest
import torch

from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.noise import TRAIN_TIME, Seeds
from polydiff.core.prediction import prediction
from polydiff.core.schedule import Cosine
from polydiff.training.objective import Objective, TrainingLoss, stratified
from polydiff.training.times import Uniform
from polydiff.training.weighting import Constant, MinSNR

UNIFORM = Objective(Uniform(), Constant())


class Zero(torch.nn.Module):
    def forward(self, x, log_snr, cond=None):
        return torch.zeros_like(x)


def test_loss_of_a_network_that_says_nothing_is_the_mean_square_of_its_target():
    denoiser = NetworkDenoiser(Zero(), Cosine(s=0.0), prediction("v"))
    x0 = torch.tensor([[[1.0, 3.0]], [[2.0, -2.0]]])
    eps = torch.tensor([[[2.0, 0.0]], [[1.0, 1.0]]])
    t = torch.tensor([0.5, 1.0], dtype=torch.float64)
    half = math.sqrt(0.5)  # v = alpha eps - sigma x0, alpha = cos(pi t / 2)
    expected = torch.tensor([((half * 1) ** 2 + (half * 3) ** 2) / 2, (2.0**2 + 2.0**2) / 2])
    torch.testing.assert_close(UNIFORM.losses(denoiser, x0, t, eps), expected)


def test_losses_are_weighted_sample_by_sample():
    denoiser = NetworkDenoiser(Zero(), Cosine(), prediction("x0"))
    t = Cosine().time(torch.tensor([math.log(2.0), math.log(50.0)], dtype=torch.float64))
    losses = Objective(Uniform(), MinSNR(gamma=5.0)).losses(denoiser, torch.ones(2, 1, 3), t, torch.zeros(2, 1, 3))
    torch.testing.assert_close(losses, torch.tensor([2.0, 5.0]))


def test_losses_are_finite_at_both_ends_of_the_schedule():
    denoiser = NetworkDenoiser(Zero(), Cosine(), prediction("v"))
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    losses = Objective(Uniform(), MinSNR()).losses(denoiser, torch.ones(2, 1, 3), ends, torch.ones(2, 1, 3))
    assert losses.isfinite().all()


def test_what_is_masked_does_not_count():
    denoiser = NetworkDenoiser(Zero(), Cosine(s=0.0), prediction("x0"))
    x0 = torch.tensor([[[1.0, 3.0], [2.0, 5.0]], [[2.0, -2.0], [0.0, 7.0]]])
    t = torch.tensor([0.5, 0.25], dtype=torch.float64)
    mask = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]])
    losses = UNIFORM.losses(denoiser, x0, t, torch.zeros_like(x0), mask=mask)
    torch.testing.assert_close(losses, torch.tensor([(1 + 4) / 2, (4 + 4 + 0 + 49) / 4]))


class Drafting(torch.nn.Module):
    drafts = True

    def __init__(self):
        super().__init__()
        self.guess = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x, log_snr, cond=None, *, draft=False):
        output = torch.zeros_like(x)
        return (output, self.guess.expand_as(x)) if draft else output


@pytest.mark.parametrize("exchangeable", [False, True])
def test_a_draft_is_held_to_the_data_and_leaves_the_loss_as_it_is(exchangeable):
    objective = Objective(Uniform(), Constant(), exchangeable)
    net = Drafting()
    x0, eps = torch.randn(2, 2, 3, 5)
    t, mask = torch.tensor([0.3, 0.8], dtype=torch.float64), (torch.arange(5) < 4).float().expand(2, 1, 5)
    losses = objective.losses(NetworkDenoiser(net, Cosine(), prediction("v")), x0, t, eps, mask=mask)
    plain = objective.losses(NetworkDenoiser(Zero(), Cosine(), prediction("v")), x0, t, eps, mask=mask)
    assert torch.equal(losses, plain)
    losses.sum().backward()
    torch.testing.assert_close(net.guess.grad, 2 * (0.5 - x0[:, :, :4]).mean((1, 2)).sum())


def test_stratified_numbers_fill_their_strata():
    jitter = torch.tensor([1e-9, 0.25, 0.5, 1 - 2.0**-53], dtype=torch.float64)
    u = stratified(jitter, torch.arange(4), 4)
    torch.testing.assert_close(u, torch.tensor([0.0, 0.3125, 0.625, 1.0], dtype=torch.float64), atol=1e-9, rtol=0)
    assert u.min() > 0
    assert u.max() < 1


@pytest.fixture
def loss_of(toy_model):
    def make(dropout=0.0, objective=UNIFORM, batch=8):
        return TrainingLoss(toy_model("a", "b"), objective, seed=3, batch=batch, dropout={"label": dropout})

    return make


def batch_at(positions):
    x = Seeds(1, positions).normal((1, 4, 4), stream=99)
    return x, {"label": [int(p) % 2 for p in positions]}, positions


def test_a_samples_loss_depends_on_its_position_alone(loss_of):
    loss, positions = loss_of(dropout=0.5), torch.arange(16, 24)
    whole = loss(*batch_at(positions))
    parts = torch.cat([loss(*batch_at(positions[part::3])) for part in range(3)])
    order = torch.cat([torch.arange(8)[part::3] for part in range(3)])
    torch.testing.assert_close(parts, whole[order])


def test_times_of_a_step_are_stratified_and_those_of_the_next_differ(loss_of):
    drawn = []

    class Spy(Uniform):
        def __call__(self, u, schedule):
            drawn.append(u)
            return u

    loss = loss_of(objective=Objective(Spy(), Constant()))
    for step in range(2):
        loss(*batch_at(torch.arange(8 * step, 8 * step + 8)))
    assert torch.equal((drawn[0] * 8).floor(), torch.arange(8.0, dtype=torch.float64))
    assert torch.equal((drawn[1] * 8).floor(), torch.arange(8.0, dtype=torch.float64))
    assert (drawn[0] != drawn[1]).all()
    jitter = Seeds(3, torch.arange(8)).uniform((), stream=TRAIN_TIME)
    torch.testing.assert_close(drawn[0], (torch.arange(8) + jitter) / 8)


def test_conditions_are_dropped_at_their_rate(loss_of, monkeypatch):
    kept = {}
    for rate in (0.0, 0.25, 1.0):
        loss = loss_of(dropout=rate)
        monkeypatch.setattr(
            loss.model, "condition", lambda values, rate=rate: kept.setdefault(rate, values["label"]) and None
        )
        loss(*batch_at(torch.arange(4000)))
    known = {rate: sum(value is not None for value in values) for rate, values in kept.items()}
    assert (known[0.0], known[1.0]) == (4000, 0)
    assert abs(known[0.25] - 3000) < 4 * math.sqrt(4000 * 0.25 * 0.75)
    assert all(value in (None, i % 2) for i, value in enumerate(kept[0.25]))


def test_conditions_are_left_out_together_besides(toy_model, monkeypatch):
    """Of two conditions that are each left out by a quarter, all are by a third and a sixteenth of the rest."""
    loss = TrainingLoss(
        toy_model("a", "b"), UNIFORM, seed=3, batch=8, dropout={"label": 0.25, "other": 0.25}, drop_all=1 / 3
    )
    kept = {}
    monkeypatch.setattr(loss.model, "condition", kept.update)
    x, conditions, *rest = batch_at(torch.arange(4000))
    loss(x, {**conditions, "other": conditions["label"]}, *rest)
    one, other = (torch.tensor([value is not None for value in kept[name]]) for name in ("label", "other"))
    for share, expected in (
        ((~one & ~other), 1 / 3 + 2 / 3 / 16),
        ((one & other), 2 / 3 * 9 / 16),
        ((one & ~other), 2 / 3 * 3 / 16),
    ):
        assert abs(share.sum() - 4000 * expected) < 4 * math.sqrt(4000 * expected * (1 - expected))
