import numpy as np
import pytest
import scipy.linalg
import torch

from polydiff.errors import UsageError
from polydiff.metrics.frechet import frechet_distance


def test_frechet_distance_agrees_with_the_matrix_square_root():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=generator) @ torch.randn(5, 5, generator=generator)
    y = torch.randn(150, 5, generator=generator) + 0.5
    a, b = np.cov(x.double().numpy().T), np.cov(y.double().numpy().T)
    offset = x.double().mean(0) - y.double().mean(0)
    expected = offset.square().sum().item() + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_in_one_dimension_is_of_means_and_deviations():
    x, y = torch.tensor([[-1.0], [1.0]]), torch.tensor([[2.0], [8.0]])
    assert frechet_distance(x, y) == pytest.approx(25 + (np.sqrt(18) - np.sqrt(2)) ** 2, rel=1e-12)


def test_frechet_distance_of_singular_covariances_is_finite():
    """Fewer samples than features."""
    x = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x + 1) == pytest.approx(10, abs=1e-5)


def test_frechet_distance_refuses_a_single_sample():
    with pytest.raises(UsageError, match="at least 2"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
