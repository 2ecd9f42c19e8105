"""Schedules against their definitions, their inverses and their limits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polydiff.core.discrete import Discrete
from polydiff.core.schedule import EDM, Cosine, Flow, Linear, Schedule, Shifted, Sigmoid
from polydiff.errors import UsageError

BETAS = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64).tolist()
SCHEDULES: dict[str, Schedule] = {
    "linear": Linear(),
    "linear-zero": Linear(zero_terminal_snr=True),
    "cosine": Cosine(),
    "cosine-plain": Cosine(s=0.0),
    "sigmoid": Sigmoid(),
    "sigmoid-steep": Sigmoid(start=-3, end=3, tau=0.3),
    "sigmoid-aside": Sigmoid(start=0, end=3, tau=0.9),
    "edm": EDM(),
    "flow": Flow(),
    "discrete": Discrete(betas=BETAS),
    "discrete-zero": Discrete(betas=BETAS, zero_terminal_snr=True),
    "shifted-cosine": Shifted(base=Cosine(), scale=0.5),
    "shifted-flow": Shifted(base=Flow(), scale=1 / 3),
    "shifted-edm": Shifted(base=EDM(), scale=2.0),
}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
TIMES = torch.cat(
    [torch.linspace(0, 1, 2001, dtype=torch.float64), 10.0 ** -torch.arange(2.0, 12, dtype=torch.float64)]
)


@every_schedule
def test_time_inverts_log_snr_everywhere(schedule):
    assert (schedule.time(schedule.log_snr(TIMES)) - TIMES).abs().max() < 1e-9
    near_one = 1 - TIMES[-10:]
    assert (schedule.time(schedule.log_snr(near_one)) - near_one).abs().max() < 1e-9


@every_schedule
def test_log_snr_falls_strictly_and_is_that_of_the_coefficients(schedule):
    t = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    log_snr = schedule.log_snr(t)
    assert (log_snr.diff() < 0).all()
    alpha, sigma = schedule(t)
    torch.testing.assert_close(2 * (alpha / sigma).log(), log_snr, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(schedule.half_log_snr(t) * 2, log_snr)


@every_schedule
def test_ends_are_exact(schedule):
    (alpha_0, alpha_1), (sigma_0, sigma_1) = schedule(torch.tensor([0.0, 1.0], dtype=torch.float64))
    family = schedule.base if isinstance(schedule, Shifted) else schedule
    if isinstance(family, EDM):
        assert alpha_0 == alpha_1 == 1
        return
    assert (alpha_0, sigma_0) == (1, 0)
    terminal = not (isinstance(family, Linear) and not family.alpha_1) and family is not SCHEDULES["discrete"]
    assert (alpha_1, sigma_1) == (0, 1) if terminal else 0 < alpha_1 < 0.01


@every_schedule
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_and_shape_of_the_times_are_kept(schedule, dtype):
    t = torch.full((2, 3), 0.3, dtype=dtype)
    for value in (*schedule(t), schedule.log_snr(t), schedule.time(schedule.log_snr(t))):
        assert value.dtype == dtype
        assert value.shape == (2, 3)
    assert schedule.log_snr(0.3).dtype == torch.float64


def test_linear_is_the_limit_of_ddpm_betas():
    t = torch.linspace(0, 1, 100001, dtype=torch.float64)
    beta = 0.1 + 19.9 * t
    integral = torch.trapezoid(beta, t)
    alpha, _ = Linear()(1.0)
    assert alpha.item() == pytest.approx(math.exp(-integral.item() / 2), rel=1e-9)


def test_cosine_is_nichol_and_dhariwals():
    t, s = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64), 0.008
    f = torch.cos((t + s) / (1 + s) * math.pi / 2) ** 2
    torch.testing.assert_close(Cosine()(t)[0] ** 2, f / math.cos(s / (1 + s) * math.pi / 2) ** 2)


def test_sigmoid_is_a_piece_of_the_logistic_curve():
    t = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    low, high = 1 / (1 + math.exp(3)), 1 / (1 + math.exp(-3))
    expected = (high - torch.sigmoid(6 * t - 3)) / (high - low)
    torch.testing.assert_close(Sigmoid()(t)[0] ** 2, expected)


def test_edm_is_karras_grid():
    t = torch.linspace(1, 0, 18, dtype=torch.float64)
    sigma = (80 ** (1 / 7) + (1 - t) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    torch.testing.assert_close(EDM()(t)[1], sigma)


def test_discrete_hits_its_table():
    table = torch.cumprod(1 - torch.tensor(BETAS, dtype=torch.float64), 0)
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    for schedule in (Discrete(betas=BETAS), Discrete(alphas_cumprod=table.tolist())):
        torch.testing.assert_close(schedule(t)[0] ** 2, table, rtol=1e-12, atol=0)


def test_discrete_zero_terminal_snr_is_lins_rescaling():
    alpha = torch.cumprod(1 - torch.tensor(BETAS, dtype=torch.float64), 0).sqrt()
    rescaled = (alpha - alpha[-1]) * alpha[0] / (alpha[0] - alpha[-1])
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    torch.testing.assert_close(Discrete(betas=BETAS, zero_terminal_snr=True)(t)[0], rescaled)


@given(st.floats(0.1, 10), st.sampled_from(["linear", "cosine", "edm", "flow"]))
def test_shift_is_that_of_scaled_data_and_keeps_the_family(scale, name):
    base = SCHEDULES[name]
    t = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    alpha, sigma = base(t)
    alpha_b, sigma_b = Shifted(base=base, scale=scale)(t)
    torch.testing.assert_close(alpha_b / sigma_b, scale * alpha / sigma, rtol=1e-9, atol=0)
    kept = {
        "linear": lambda a, s: a**2 + s**2,
        "cosine": lambda a, s: a**2 + s**2,
        "edm": lambda a, s: a,
        "flow": torch.add,
    }[name]
    torch.testing.assert_close(kept(alpha_b, sigma_b), torch.ones_like(t))


def test_shift_on_flow_is_esser_et_als():
    t = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    torch.testing.assert_close(SCHEDULES["shifted-flow"](t)[1], 3 * t / (1 + 2 * t))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Linear(beta_min=0.0),
        lambda: Cosine(s=-1.0),
        lambda: Sigmoid(start=3, end=-3),
        lambda: Sigmoid(tau=1e-3),
        lambda: EDM(sigma_min=1.0, sigma_max=0.5),
        Discrete,
        lambda: Discrete(betas=[0.1], alphas_cumprod=[0.9]),
        lambda: Discrete(alphas_cumprod=[0.5, 0.9]),
        lambda: Discrete(betas=[0.1, 1.5]),
        lambda: Shifted(base=Flow(), scale=0.0),
    ],
)
def test_senseless_options_are_refused(make):
    with pytest.raises(UsageError):
        make()
