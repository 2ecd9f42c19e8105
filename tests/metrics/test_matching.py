"""Measures of sets from distances alone, against sklearn's classifier and counting by hand."""

import pytest
import torch
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from polydiff.errors import UsageError
from polydiff.metrics.matching import coverage, minimum_matching_distance, one_nearest_neighbour


def test_1_nna_is_a_leave_one_out_classifier():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    y = torch.randn(40, 2, generator=generator, dtype=torch.float64) + 0.5
    both, labels = torch.cat([x, y]).numpy(), [0] * 30 + [1] * 40
    predicted = [
        KNeighborsClassifier(1).fit(both[rest], [labels[j] for j in rest]).predict(both[i : i + 1])[0]
        for i in range(70)
        for rest in [[j for j in range(70) if j != i]]
    ]
    ours = one_nearest_neighbour(torch.cdist(x, x), torch.cdist(x, y), torch.cdist(y, y))
    assert ours == pytest.approx(accuracy_score(labels, predicted))


def test_ties_are_what_chance_makes_of_them():
    """All members are one point: a member's nearest is any of the n - 1 others of its set and the m of the other."""
    n, m = 3, 4
    zeros = [torch.zeros(n, n), torch.zeros(n, m), torch.zeros(m, m)]
    assert one_nearest_neighbour(*zeros) == pytest.approx((n * (n - 1) + m * (m - 1)) / (n + m) / (n + m - 1))
    assert coverage(zeros[1]) == pytest.approx(1 - (1 - 1 / m) ** n)


def test_coverage_and_matching_distance_by_hand():
    between = torch.tensor([[1.0, 5, 9], [2, 4, 8], [9, 3, 7]])
    assert coverage(between) == pytest.approx(2 / 3)
    assert minimum_matching_distance(between) == pytest.approx((1 + 3 + 7) / 3)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="at least 2 members"):
        one_nearest_neighbour(torch.zeros(1, 1), torch.zeros(1, 3), torch.zeros(3, 3))
    with pytest.raises(UsageError, match=r"\(3, 2\)"):
        one_nearest_neighbour(torch.zeros(3, 3), torch.zeros(3, 2), torch.zeros(3, 3))
