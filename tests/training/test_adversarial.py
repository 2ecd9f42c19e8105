"""A critic that is trained beside a codec."""

import pytest
import torch
from safetensors.torch import load_file

from polydiff.errors import RecipeError
from polydiff.plugins.specs import ReconstructionSpec
from polydiff.recipe.build import build
from polydiff.recipe.component import Component
from polydiff.training.adversarial import Adversarial
from polydiff.training.reconstruction import CodecObjective


@pytest.fixture
def loss(toy):
    torch.manual_seed(0)
    made = build(ReconstructionSpec, Component("adversarial", {"width": 4, "layers": 2}), codec=toy.Squares())
    assert isinstance(made, Adversarial)
    return made


def test_each_side_has_its_own_gradient(loss):
    """Hinge losses by hand: the critic's of detached data, and what comes back by a frozen critic."""
    x, y = torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4).requires_grad_()
    loss(y, x).sum().backward()
    of_y, of_critic = y.grad.clone(), [p.grad.clone() for p in loss.parameters()]
    loss.zero_grad()
    tells = (1 - loss.critic(x)).clamp(min=0) + (1 + loss.critic(y.detach())).clamp(min=0)
    tells.mean(1).sum().backward()
    for ours, theirs in zip(of_critic, loss.parameters(), strict=True):
        assert torch.allclose(ours, theirs.grad, atol=1e-6)
        assert ours.any() or ours.ndim == 1  # the last bias moves both sides alike
    (expected,) = torch.autograd.grad(-loss.critic(y).mean(1).sum(), y)
    assert torch.allclose(of_y, expected, atol=1e-6)


def test_a_critic_comes_to_tell_real_from_made(loss):
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(loss.parameters(), lr=1e-2)
    for _ in range(60):
        x = torch.randn(32, 1, 4, 4, generator=generator)
        optimizer.zero_grad()
        loss(0.2 * x, x).mean().backward()
        optimizer.step()
    x = torch.randn(64, 1, 4, 4, generator=generator)
    assert (loss.critic(x).mean(1) > loss.critic(0.2 * x).mean(1)).float().mean() > 0.9


def test_validation_leaves_out_what_learns(loss):
    objective = CodecObjective([(1.0, torch.nn.functional.l1_loss), (0.1, loss)], 0.0)
    assert [weight for weight, _ in objective.judged().terms] == [1.0]
    assert objective.learnt == [loss]


def test_the_critic_is_kept_in_checkpoints_alone(train_codec):
    reconstruction = "objective.reconstruction=[l2, {name: adversarial, weight: 0.1, width: 4, layers: 1}]"
    run, outcome = train_codec("run", reconstruction)
    assert outcome.reason == "finished"
    assert not any("critic" in name for name in load_file(run.model / "weights.safetensors"))
    first, last = (
        {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}
        for folder in sorted(run.checkpoints.iterdir())
    )
    moved = [name for name in last if "critic" in name and not torch.equal(first[name], last[name])]
    assert moved


@pytest.mark.parametrize(
    ("reconstruction", "message"),
    [
        ("[{name: adversarial, layers: 1}]", "asks for nothing that can be judged; put l1 beside it"),
        ("[l1, {name: adversarial, layers: 3}]", "data of 4 along an axis cannot be halved 3 times"),
        ("[l1, {name: adversarial, width: 0}]", "width and layers are 0 and 3; both must be at least 1"),
    ],
)
def test_what_cannot_be_trained_is_refused(codec_parts_of, reconstruction, message):
    with pytest.raises(RecipeError, match=message):
        codec_parts_of(f"objective.reconstruction={reconstruction}")
