"""Known data on every family of schedules."""

import pytest
import torch

from polydiff.verification import known
from polydiff.verification.known import FAMILIES


@pytest.fixture(params=FAMILIES)
def schedule(request):
    return FAMILIES[request.param]


@pytest.fixture
def mixture(schedule):
    return known.mixture(schedule)


@pytest.fixture
def gaussian(schedule):
    return known.gaussian(schedule)


@pytest.fixture
def point(schedule):
    return known.point(torch.tensor(0.7, dtype=torch.float64), schedule)


@pytest.fixture
def even(schedule):
    """Give so many steps, even in lambda."""
    return lambda steps: known.even(schedule, steps)
