"""Validation at fixed times with fixed noise."""

import dataclasses
import math

import pytest
import torch

from polydiff.recipe.schema import ValidationConfig
from polydiff.training.processes import launch
from polydiff.training.validation import Validator, interval, student_t


@pytest.fixture
def validator_of(parts_of):
    def make(*, samples=18, bands=4, seed=0, batch=5, objective=None):
        parts = parts_of()
        return parts, Validator(
            objective or parts.objective,
            parts.held_out,
            ValidationConfig(samples=samples, bands=bands),
            seed=seed,
            batch=batch,
            workers=0,
            processes=launch(accelerator="cpu", precision="32-true"),
        )

    return make


def test_figures_are_the_same_each_time_and_for_any_state_of_the_generators(validator_of):
    parts, validator = validator_of()
    model = parts.model.eval()
    first = validator(model)
    torch.manual_seed(123)
    assert validator(model) == first
    parts, again = validator_of()
    assert again(parts.model.eval()) == first


def test_figures_depend_on_the_seed_and_not_on_the_batch(validator_of):
    parts, validator = validator_of()
    first = validator(parts.model.eval())
    assert validator_of(seed=1)[1](parts.model).total.loss != pytest.approx(first.total.loss, rel=1e-3)
    assert validator_of(batch=16)[1](parts.model).total.loss == pytest.approx(first.total.loss, rel=1e-5)


def test_times_fill_bands_of_equal_mass(validator_of):
    parts, validator = validator_of(samples=18, bands=4)
    t = validator.times(parts.model.denoiser.schedule)
    assert len(t) == 16
    assert torch.equal((t * 4).floor(), (torch.arange(16) % 4).double())
    assert torch.equal((t.sort().values * 16).floor(), torch.arange(16).double())


def test_bands_average_to_the_total_and_run_from_little_noise_to_much(validator_of):
    parts, validator = validator_of()
    report = validator(parts.model.eval())
    assert sum(band.loss for band in report.bands) / 4 == pytest.approx(report.total.loss)
    edges = [edge for band in report.bands for edge in (band.log_snr_high, band.log_snr_low)]
    assert edges == sorted(edges, reverse=True)
    assert report.as_dict()["bands"][0]["ci"] == report.bands[0].ci


def test_intervals_are_students():
    losses = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64)
    mean, ci = interval(losses, torch.arange(3).view(3, 1))
    assert mean == pytest.approx(7 / 3)
    assert ci == pytest.approx(4.302653 * (7 / 3) ** 0.5 / 3**0.5, rel=1e-2)


def test_stratified_interval_leaves_out_the_differences_between_strata():
    losses = torch.tensor([[0.0, 100.0], [2.0, 102.0]], dtype=torch.float64)
    mean, ci = interval(losses, torch.arange(4).view(2, 2))
    assert mean == 51
    assert ci == pytest.approx(4.302653 * (2 * 2 / 2 / 4) ** 0.5, rel=1e-2)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.70620), (2, 4.302653), (3, 3.182446), (5, 2.570582), (30, 2.042272), (500, 1.964720)],
)
def test_students_t(freedom, quantile):
    assert student_t(freedom) == pytest.approx(quantile, rel=1e-2 if freedom < 3 else 2e-3)


@pytest.mark.parametrize("held_out", [4000, 180, 18])
@pytest.mark.parametrize("scales", [[1.0] * 8, [math.exp(-b) for b in range(8)]], ids=["alike", "falling"])
def test_intervals_cover_the_truth_as_often_as_they_say(held_out, scales):
    """Also where items come again, and where the loss varies far more in some bands than in others."""
    torch.manual_seed(0)
    items = (torch.arange(512) % held_out).view(64, 8)
    covered = 0
    for _ in range(1000):
        of_items = torch.randn(held_out, dtype=torch.float64)[items]
        losses = (of_items + torch.randn(64, 8, dtype=torch.float64)) * torch.tensor(scales, dtype=torch.float64)
        mean, ci = interval(losses, items)
        covered += abs(mean) <= ci
    assert 0.92 <= covered / 1000 <= 0.985


def test_interval_of_one_item_is_that_of_the_noise():
    losses = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64)
    assert interval(losses, torch.zeros(3, 1)) == interval(losses, torch.arange(3).view(3, 1))


def test_conditions_are_never_dropped_in_validation(validator_of, monkeypatch):
    parts, validator = validator_of()
    seen = []
    condition = parts.model.condition
    monkeypatch.setattr(parts.model, "condition", lambda values: seen.extend(values["label"]) or condition(values))
    validator(parts.model.eval())
    assert len(seen) == 16
    assert set(seen) == {0, 1}


def test_unreadable_held_out_items_are_named_once(parts_of, caplog):
    parts = parts_of(
        "data.source={name: levels, count: 6, broken: [3]}", "data.validation={name: levels, count: 6, broken: [3]}"
    )
    config = ValidationConfig(samples=12, bands=4)
    processes = launch(accelerator="cpu", precision="32-true")
    validator = Validator(parts.objective, parts.held_out, config, seed=0, batch=4, workers=0, processes=processes)
    validator(parts.model.eval())
    validator(parts.model.eval())
    assert [record.getMessage() for record in caplog.records] == ["left out: item-3: cannot be read"]


def test_report_is_plain_data(validator_of):
    parts, validator = validator_of()
    report = validator(parts.model.eval())
    assert report.figures == dataclasses.asdict(report.total)
