"""Every deterministic sampler's order of convergence, measured against the exact flow of a 1-D mixture in float64."""

import pytest

from polydiff.plugins.builtin import polydiff_samplers
from polydiff.plugins.factory import sampler
from polydiff.verification.convergence import STEPS, convergence, order
from polydiff.verification.known import FAMILIES, problem

CLAIMS = [(spec.name, {}, spec.order) for spec in polydiff_samplers() if spec.order and not spec.stochastic]
OPTIONS = [
    ("dpm++3m", {"published": True}, 2),
    ("unipc", {"order": 1}, 2),
    ("unipc", {"order": 2, "variant": "bh1"}, 3),
    ("unipc", {"order": 3}, 4),
    ("deis", {"order": 2}, 2),
    ("er-sde", {"eta": 0.0}, 3),
    ("deis", {"order": 2, "variable": "rho"}, 2),
    ("deis", {"order": 3, "variable": "log-rho"}, 3),
]


@pytest.mark.parametrize("schedule", FAMILIES)
@pytest.mark.parametrize(
    ("name", "options", "claimed"),
    CLAIMS + OPTIONS,
    ids=lambda value: ",".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_samplers_converge_at_the_order_that_they_claim(name, options, claimed, schedule):
    errors = convergence(sampler(name, **options), problem(schedule))
    assert order(STEPS, errors) == pytest.approx(claimed, abs=0.2)
    assert errors[-1] < 0.01
