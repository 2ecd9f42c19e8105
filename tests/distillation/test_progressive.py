"""Progressive distillation against exact answers."""

import pytest
import torch

import polydiff
from polydiff.core.oracle import Mixture
from polydiff.distillation.progressive import Progressive, factors, landing
from polydiff.errors import UsageError
from polydiff.sampling.grid import time_grid

SCHEDULES = ["linear", "cosine", "edm", "flow"]
GRIDS = ["half-log-snr", "t", "karras"]


def oracle(schedule):
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    return Mixture(means, torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64), torch.tensor([0.5, 0.3, 0.2]), schedule)


def state(schedule, t):
    generator = torch.Generator().manual_seed(1)
    x0, eps = torch.randn(2, len(t), 4, generator=generator, dtype=torch.float64)
    alpha, sigma = (c[:, None] for c in schedule(t))
    return alpha * x0 + sigma * eps


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_one_step_towards_the_target_is_the_teachers_steps(name, grid, factor):
    schedule = polydiff.schedule(name)
    teacher, ddim = oracle(schedule), polydiff.sampler("ddim")
    times = time_grid(grid, schedule, 4 * factor)
    walks = times.unfold(0, factor + 1, factor)
    x_t = state(schedule, walks[:, 0])
    target = landing(teacher, schedule, x_t, walks)
    for i, walk in enumerate(walks):
        there = ddim.sample(teacher, x_t[i : i + 1], times=walk)
        one = ddim.sample(Constant(schedule, target[i : i + 1]), x_t[i : i + 1], times=walk[[0, -1]])
        assert (one - there).abs().max() < 1e-12 * max(1.0, float(there.abs().max()))


@pytest.mark.parametrize("name", ["linear", "cosine", "flow"])
def test_where_a_walk_ends_at_the_data_the_target_is_the_teachers_last_estimate(name):
    schedule = polydiff.schedule(name)
    teacher = oracle(schedule)
    walk = torch.tensor([[0.5, 0.2, 0.0]], dtype=torch.float64)
    x_t = state(schedule, walk[:, 0])
    middle = polydiff.sampler("ddim").sample(teacher, x_t, times=walk[0, :2])
    assert (landing(teacher, schedule, x_t, walk) - teacher(middle, walk[:, 1])).abs().max() < 1e-14


class Constant(polydiff.Denoiser):
    def __init__(self, schedule, x0):
        super().__init__()
        self.schedule, self.x0 = schedule, x0

    def forward(self, x_t, t, cond=None):
        return self.x0


class Affine(polydiff.Denoiser):
    """The denoisers of all Gaussian data: at each time of a grid, x_0 is affine in x_t."""

    def __init__(self, schedule, times, slopes, offsets):
        super().__init__()
        self.schedule, self.times, self.slopes, self.offsets = schedule, times, slopes, offsets

    def forward(self, x_t, t, cond=None):
        place = torch.isclose(self.times, t.reshape(-1, 1), rtol=0, atol=1e-15).double().argmax(1)
        return torch.einsum("bij,bj->bi", self.slopes[place].expand(len(x_t), -1, -1), x_t) + self.offsets[place]


def fitted(teacher, schedule, walks):
    """Solve for the affine student of least error against the targets, exactly: it has none left."""
    size = 4
    slopes, offsets = [], []
    for walk in walks:
        x_t = torch.cat([torch.zeros(1, size), torch.eye(size)]).double()
        target = landing(teacher, schedule, x_t, walk.expand(size + 1, -1))
        offsets.append(target[0])
        slopes.append((target[1:] - target[0]).T)
    return Affine(schedule, walks[:, 0], torch.stack(slopes), torch.stack(offsets))


@pytest.mark.parametrize("name", SCHEDULES)
def test_gaussian_data_distil_exactly_from_64_steps_to_1(name):
    schedule, ddim = polydiff.schedule(name), polydiff.sampler("ddim")
    generator = torch.Generator().manual_seed(2)
    mean, std = torch.randn(1, 4, generator=generator, dtype=torch.float64), torch.tensor([0.7], dtype=torch.float64)
    teacher = Mixture(mean, std, torch.ones(1, dtype=torch.float64), schedule)
    times = time_grid("half-log-snr", schedule, 64)
    x_1 = float(schedule(1.0)[1]) * torch.randn(5, 4, generator=generator, dtype=torch.float64)
    far = ddim.sample(teacher, x_1, times=times)
    student = teacher
    while len(times) > 2:
        walks = times.unfold(0, 3, 2)
        student = fitted(student, schedule, walks)
        times = times[::2]
        there = ddim.sample(student, x_1, times=times)
        assert (there - far).abs().max() < 1e-10
    assert times.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("teacher", "student", "found"),
    [(64, 1, [2] * 6), (32, 4, [2, 2, 2]), (12, 4, [3]), (25, 5, [5]), (24, 4, [2, 3]), (7, 1, [7])],
)
def test_rungs_halve_and_take_what_is_odd_at_the_last(teacher, student, found):
    assert factors(teacher, student) == found


@pytest.mark.parametrize(("teacher", "student", "near"), [(25, 4, 24), (6, 4, 8), (20, 3, 21)])
def test_steps_that_do_not_divide_are_refused_with_the_nearest_that_do(teacher, student, near):
    with pytest.raises(UsageError, match=f"the nearest number that is is {near}"):
        factors(teacher, student)


@pytest.mark.parametrize(("teacher", "student", "least"), [(4, 4, 8), (4, 64, 128)])
def test_a_teacher_has_more_steps_than_its_student(teacher, student, least):
    with pytest.raises(
        UsageError, match=f"{teacher} steps are not more than the student's {student}; .* --from {least}"
    ):
        factors(teacher, student)


def test_a_plan_keeps_every_second_time():
    times = [1.0, 0.9, 0.7, 0.6, 0.5, 0.3, 0.2, 0.1, 0.0]
    first, second = Progressive.plan(times, 2)
    assert (first.name, first.times) == ("8-to-4", (1.0, 0.7, 0.5, 0.2, 0.0))
    assert (second.name, second.times) == ("4-to-2", (1.0, 0.5, 0.0))
    assert second.method.options == {"times": [1.0, 0.7, 0.5, 0.2, 0.0], "factor": 2}
