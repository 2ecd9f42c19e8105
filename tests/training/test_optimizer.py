"""AdamW and its learning rate."""

import pytest
from torch import nn

from polydiff.recipe.schema import OptimizerConfig
from polydiff.training.optimizer import learning_rate, optimizer


def test_learning_rate_warms_up_linearly_and_decays_by_a_cosine():
    config = OptimizerConfig(lr=0.1, warmup=4)
    assert [learning_rate(config, step, 0.0) for step in range(5)] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])
    assert learning_rate(config, 50, 0.5) == pytest.approx(0.05)
    assert learning_rate(config, 50, 1 / 3) == pytest.approx(0.075)
    assert learning_rate(config, 50, 1.0) == pytest.approx(0.0)


def test_constant_learning_rate_does_not_decay():
    config = OptimizerConfig(lr=0.1, warmup=0, decay="constant")
    assert {learning_rate(config, step, step / 10) for step in range(11)} == {0.1}


def test_linear_learning_rate_falls_to_nothing():
    config = OptimizerConfig(lr=0.1, warmup=2, decay="linear")
    rates = [learning_rate(config, step, step / 8) for step in range(9)]
    assert rates == pytest.approx([0.05, *(0.1 * (1 - step / 8) for step in range(1, 9))])
    assert rates[-1] == 0


def test_only_matrices_and_kernels_decay():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel = nn.Conv1d(2, 2, 3)
            self.norm = nn.GroupNorm(1, 2)
            self.table = nn.Embedding(3, 2)
            self.frozen = nn.Linear(2, 2).requires_grad_(False)

    net = Net()
    decayed, kept = optimizer(net, OptimizerConfig(weight_decay=0.1), fused=False).param_groups
    assert decayed["weight_decay"] == 0.1
    assert decayed["params"] == [net.kernel.weight]
    assert kept["weight_decay"] == 0.0
    assert {id(p) for p in kept["params"]} == {
        id(p) for p in (net.kernel.bias, net.norm.weight, net.norm.bias, net.table.weight)
    }
