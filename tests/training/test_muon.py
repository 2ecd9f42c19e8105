"""Muon against singular value decompositions."""

import pytest
import torch
from torch import nn

from polydiff.core.condition import ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.block import BlockOptions
from polydiff.nn.unet import Level, UNet
from polydiff.recipe.schema import OptimizerConfig
from polydiff.training.muon import Muon, hidden_matrices, orthogonalised
from polydiff.training.optimizer import optimizer


@pytest.mark.parametrize("shape", [(7, 7), (5, 30), (30, 5)])
def test_singular_values_become_about_one_and_singular_vectors_stay(shape):
    u, _, vh = torch.linalg.svd(torch.randn(4, *shape, dtype=torch.float64), full_matrices=False)
    values = torch.logspace(-1.9, 0, min(shape), dtype=torch.float64).expand(4, -1)
    made = 1e3 * (u * values[:, None]) @ vh
    inner = u.mT @ orthogonalised(made) @ vh.mT
    found = inner.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(inner, torch.diag_embed(found), atol=1e-9, rtol=0)
    assert 0.7 < found.min() < found.max() < 1.3


def test_nothing_becomes_nothing():
    assert torch.equal(orthogonalised(torch.zeros(1, 3, 2)), torch.zeros(1, 3, 2))


def exactly(matrices):
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    return u @ vh


def test_steps_are_those_of_its_formula(monkeypatch):
    monkeypatch.setattr("polydiff.training.muon.orthogonalised", exactly)
    tall, kernel, bias = (nn.Parameter(torch.randn(*shape)) for shape in [(8, 2), (4, 3, 3), (4,)])
    other = nn.Parameter(bias.detach().clone())
    moved = [tall.detach().clone(), kernel.detach().clone()]
    muon = Muon(
        [
            {"params": [bias], "lr": 0.1, "weight_decay": 0.0},
            {"params": [tall, kernel], "lr": 0.2, "weight_decay": 0.3, "matrices": True},
        ],
        betas=(0.9, 0.99),
        fused=False,
    )
    adamw = torch.optim.AdamW([other], lr=0.1, betas=(0.9, 0.99), weight_decay=0.0)
    means = [torch.zeros(8, 2), torch.zeros(4, 3, 3)]
    for _ in range(3):
        for parameter in (tall, kernel, bias):
            parameter.grad = torch.randn_like(parameter)
        other.grad = bias.grad.clone()
        for i, (parameter, size) in enumerate([(tall, 2.0), (kernel, 1.0)]):
            means[i] = 0.95 * means[i] + 0.05 * parameter.grad
            nesterov = (0.05 * parameter.grad + 0.95 * means[i]).flatten(1)
            moved[i] = 0.94 * moved[i] - 0.2 * size * exactly(nesterov).view(parameter.shape)
        muon.step()
        adamw.step()
    torch.testing.assert_close(tall.data, moved[0])
    torch.testing.assert_close(kernel.data, moved[1])
    assert torch.equal(bias, other)
    assert len(muon.param_groups) == 2


def test_hidden_are_the_matrices_of_repeated_layers_but_those_of_adaptive_norms():
    levels = [Level(4, 1), Level(8, 1, attention=True)]
    net = UNet(2, 3, ConditionDims(vector=5), levels, BlockOptions(head_width=8), embedding=16)
    net.middle[0].residual.conv1.weight.requires_grad_(False)
    hidden = {id(p) for p in hidden_matrices(net)}
    names = {name for name, p in net.named_parameters() if id(p) in hidden}
    assert "middle.0.attention.attention.key_value.weight" in names
    assert "up.1.blocks.0.residual.skip.weight" in names
    assert not any("scale_shift" in name or "bias" in name or name.startswith(("time", "vector")) for name in names)
    assert "middle.0.residual.conv1.weight" not in names


def test_groups_have_the_learning_rates_and_the_decay_of_the_recipe():
    net = nn.ModuleList([nn.Linear(2, 2)])
    table = nn.Embedding(3, 2)
    module = nn.ModuleDict({"net": net, "table": table})
    made = optimizer(module, OptimizerConfig(lr=0.1, muon=0.3, weight_decay=0.2), fused=False)
    others, matrices = made.param_groups
    assert (others["scale"], others["weight_decay"], others["matrices"]) == (1.0, 0.0, False)
    assert (matrices["scale"], matrices["weight_decay"], matrices["matrices"]) == (pytest.approx(3.0), 0.2, True)
    assert matrices["params"] == [net[0].weight]
    assert others["params"] == [net[0].bias, table.weight]


def test_a_network_without_repeated_layers_is_refused():
    with pytest.raises(UsageError, match=r"train\.optimizer\.muon moves the matrices of repeated layers"):
        optimizer(nn.Linear(2, 2), OptimizerConfig(muon=0.02), fused=False)
