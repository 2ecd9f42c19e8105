"""Consistency against known ends of trajectories, on every family of schedules."""

import math

import pytest
import torch

from polydiff.core.prediction import X0
from polydiff.distillation.consistency import CLEAN, Consistency, angle, leap
from polydiff.errors import UsageError
from polydiff.training.weighting import Constant
from polydiff.verification.known import FAMILIES, gaussian, point

every_schedule = pytest.mark.parametrize("schedule", FAMILIES.values(), ids=FAMILIES)


@pytest.fixture
def method(exact):
    def make(oracle, **options):
        return Consistency(teacher=exact.Teacher(oracle), weighting=Constant(), positions=1000, **options)

    return make


@every_schedule
def test_the_ends_of_exact_trajectories_have_no_loss_and_no_gradient(exact, method, schedule, monkeypatch):
    oracle = gaussian(schedule)
    distil, student = method(oracle), exact.ConsistencyFunction(oracle)
    monkeypatch.setattr(distil, "_step", lambda x_t, t, r, *_: oracle.flow(x_t, t[:, None], r[:, None]))
    x0, t, eps = exact.batch()
    loss = distil.losses(student, x0, t, eps, exact.told(len(x0), 0.5))
    assert loss.shape == (len(x0),)
    assert loss.abs().max() < 1e-20
    loss.sum().backward()
    assert abs(student.error.grad) < 1e-7
    wrong = exact.ConsistencyFunction(oracle, error=0.01)
    distil.losses(wrong, x0, t, eps, exact.told(len(x0), 0.5)).mean().backward()
    assert wrong.error.grad > 1e-3


@every_schedule
def test_the_teachers_step_is_of_second_order(exact, method, schedule):
    """Of a step a third as long the error is a 27th, but where alpha / sigma rises without end."""
    oracle, errors = gaussian(schedule), []
    x_t, t = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None], torch.full((9,), 0.5, dtype=torch.float64)
    for gap in (0.03, 0.01):
        distil = method(oracle, gap=(gap, gap))
        r = distil.below(t, schedule, torch.zeros(9, dtype=torch.float64))
        exact = oracle.flow(x_t, t[:, None], r[:, None])
        errors.append((distil._step(x_t, t, r, None) - exact).abs().max())
    assert errors[0] / errors[1] == pytest.approx(27, rel=0.15)


@every_schedule
@pytest.mark.parametrize("pairs", ["teacher", "data"])
def test_data_that_are_a_point_are_the_end_of_everything(exact, method, schedule, pairs):
    mean = torch.tensor([0.7], dtype=torch.float64)
    oracle = point(mean, schedule)
    _, t, eps = exact.batch()
    t = (1 + t) / 2  # at the end itself `edm` has some noise left
    loss = method(oracle, pairs=pairs).losses(exact.FlowMap(oracle), mean.expand(64, 1), t, eps, exact.told(64, 0.0))
    assert loss.max() < 1e-20


@every_schedule
def test_the_gap_narrows_from_first_to_last(exact, method, schedule):
    distil = method(gaussian(schedule), gap=(0.5, 0.02))
    t = torch.linspace(0.004, 1, 250, dtype=torch.float64)
    phi = angle(schedule, t)
    for behind, gap in ((0.0, 0.5), (0.5, 0.1), (1.0, 0.02)):
        r = distil.below(t, schedule, torch.full_like(t, behind))
        assert (r < t).all()
        assert ((r == 0) == (phi * (1 - gap) <= CLEAN)).all()
        inside = r > 0
        torch.testing.assert_close(1 - angle(schedule, r)[inside] / phi[inside], torch.full_like(t, gap)[inside])
    assert angle(schedule, t[-1:]) <= math.pi / 2


@every_schedule
def test_a_leap_goes_each_samples_own_way(exact, method, schedule):
    oracle = point(torch.tensor([0.7], dtype=torch.float64), schedule)
    x_t, t, _ = exact.batch(10)
    s = t / 3
    torch.testing.assert_close(leap(schedule, x_t, oracle(x_t, t), t, s), oracle.flow(x_t, t[:, None], s[:, None]))


class LinearEnds(torch.nn.Module):
    """f(x_t, t) = a x_t + b with numbers of its own for each time of a grid; x_t / alpha_t at t = 0."""

    def __init__(self, schedule, grid):
        super().__init__()
        self.schedule, self.grid, self.prediction = schedule, grid, X0()
        self.a, self.b = (torch.nn.Parameter(torch.zeros(len(grid), dtype=torch.float64)) for _ in range(2))

    def forward(self, x_t, t, cond=None, mask=None):
        i = torch.searchsorted(self.grid, t.contiguous())
        return self.a[i][:, None] * x_t + self.b[i][:, None]

    def output(self, x_t, t, cond=None, mask=None, s=None):
        return self(x_t, t)


@every_schedule
def test_linear_students_of_gaussian_data_learn_the_teachers_ends(exact, method, schedule, monkeypatch):
    """Trained by the loss itself, one time after another, until nothing is left: the teacher's own steps in one."""
    oracle = gaussian(schedule)
    grid = torch.linspace(0.0, 0.95, 7, dtype=torch.float64)
    student, distil = LinearEnds(schedule, grid), method(oracle, c=1.0)
    monkeypatch.setattr(distil, "below", lambda t, *_: grid[torch.searchsorted(grid, t) - 1])
    x0, eps = (
        torch.tensor([[-1.0], [0.5], [2.0], [0.1]], dtype=torch.float64),
        torch.tensor([[1.0], [-1], [0.3], [2]]).double(),
    )
    for each in grid[1:]:
        minimise(student, lambda t=each: distil.losses(student, x0, t.repeat(4), eps, exact.told(4, 0.0)).mean())
    x_t = torch.tensor([[-1.0], [0.4]], dtype=torch.float64)
    for i in range(1, len(grid)):
        x = x_t
        for j in range(i, 0, -1):
            x = distil._step(x, grid[j].expand(2), grid[j - 1].expand(2), None)
        alpha, _ = schedule(grid[0])
        torch.testing.assert_close(student(x_t, grid[i].expand(2)), x / alpha, rtol=1e-6, atol=1e-6)


def minimise(student, loss):
    optimizer = torch.optim.LBFGS(
        student.parameters(), max_iter=200, tolerance_grad=1e-14, tolerance_change=1e-18, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gap": (0.1, 0.2)}, "does not grow"),
        ({"gap": (0.1, 0.0)}, "within 0 and 1"),
        ({"c": 0.0}, "c > 0"),
    ],
)
def test_senseless_options_are_refused(exact, method, options, message):
    with pytest.raises(UsageError, match=message):
        method(gaussian(FAMILIES["flow"]), **options)
