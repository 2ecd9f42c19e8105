import torch
from scipy.spatial import KDTree

from polydiff.metrics import blocks
from polydiff.metrics.neighbours import nearest_distances


def test_nearest_distances_by_hand():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    y = torch.tensor([[3.0, 0.0], [6.0, 8.0]])
    assert nearest_distances(x, y).tolist() == [3.0, 4.0]


def test_nearest_distances_are_those_of_a_tree(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(31, 4, generator=generator), torch.randn(50, 4, generator=generator)
    monkeypatch.setattr(blocks, "PAIRS", 120)
    expected, _ = KDTree(y.double().numpy()).query(x.double().numpy())
    torch.testing.assert_close(nearest_distances(x, y), torch.from_numpy(expected), rtol=1e-12, atol=0)


def test_a_copy_has_distance_zero():
    y = torch.rand(40, 64)
    assert nearest_distances(y[7:9], y).tolist() == [0.0, 0.0]
