"""What both networks of points promise."""

from dataclasses import replace

import pytest
import torch
from polydiff_pointcloud.latent_set import LatentSet
from polydiff_pointcloud.pv_unet import PVUNet
from torch import Tensor, nn

from polydiff.core.condition import Condition, ConditionDims, add
from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.prediction import prediction
from polydiff.core.schedule import Cosine
from polydiff.errors import UsageError
from polydiff.training.objective import Objective
from polydiff.training.times import Uniform
from polydiff.training.weighting import Constant

NONE = ConditionDims()
DIMS = ConditionDims(vector=5, tokens=6, channels=2)

SMALL = {
    LatentSet: {"width": 16, "latents": 8, "latent_width": 32, "head_width": 8},
    PVUNet: {"channels": 8, "voxels": (8, 4, 2), "head_width": 8},
}
networks = pytest.mark.parametrize("network", [LatentSet, PVUNet])


def small(network: type, data_channels: int = 3, condition: ConditionDims = NONE, **options) -> nn.Module:
    """Build a small network with outputs other than zero."""
    torch.manual_seed(0)
    model = network(data_channels, condition, **{**SMALL[network], **options})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model.requires_grad_(False).eval()


def clouds(batch: int = 3, channels: int = 3, points: int = 40) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, channels, points, generator=generator), torch.linspace(-15, 15, batch)


def conditions(points: int = 40) -> Condition:
    generator = torch.Generator().manual_seed(1)
    mask = torch.tensor([[True, True], [True, False], [False, True]])
    draw = [torch.randn(shape, generator=generator) for shape in ((3, 5), (3, 2, 6), (3, 2, points))]
    return Condition(draw[0], draw[1], mask, draw[2])


@networks
def test_permuting_the_points_permutes_the_output(network):
    model = small(network, condition=DIMS)
    x, log_snr = clouds()
    cond = conditions()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    permuted = Condition(cond.vector, cond.tokens, cond.mask, cond.channels[..., order])
    output = model(x, log_snr, cond)
    assert (model(x[..., order], log_snr, permuted) - output[..., order]).abs().max() < 1e-5
    assert (model(x[..., order], log_snr, permuted) - output).abs().max() > 1e-2


@networks
@pytest.mark.parametrize("points", [1, 2, 7, 300])
def test_any_number_of_points(network, points):
    model = small(network, 9)
    model.check_shape((9, points))
    x, log_snr = clouds(2, 9, points)
    output = model(x, log_snr)
    assert output.shape == x.shape
    assert output.isfinite().all()


@networks
def test_the_output_starts_at_zero(network):
    x, log_snr = clouds()
    model = network(3, NONE, **SMALL[network])
    assert torch.equal(model(x, log_snr), torch.zeros_like(x))


@networks
def test_every_parameter_is_trained_in_the_end(network):
    """Zeros at the ends of branches hold others back for some steps, none for good."""
    x, log_snr = clouds()
    model = network(3, DIMS, **SMALL[network])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(6):
        optimizer.zero_grad()
        (model(x, log_snr, conditions()) - x).square().mean().backward()
        optimizer.step()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


@networks
def test_padding_changes_no_other_point(network):
    model = small(network, condition=DIMS)
    x, log_snr = clouds()
    cond = conditions()
    counts = torch.tensor([40, 17, 1])
    mask = (torch.arange(40) < counts[:, None]).float()[:, None]
    output = model(x, log_snr, cond, mask=mask)
    garbage = torch.where(mask > 0, x, 1e3 * torch.ones_like(x))
    again = model(garbage, log_snr, cond, mask=mask)
    for i, count in enumerate(counts.tolist()):
        part = Condition(
            cond.vector[i : i + 1], cond.tokens[i : i + 1], cond.mask[i : i + 1], cond.channels[i : i + 1, :, :count]
        )
        alone = model(x[i : i + 1, :, :count], log_snr[i : i + 1], part)[0]
        assert torch.allclose(output[i, :, :count], alone, atol=1e-5)
        assert torch.allclose(again[i, :, :count], alone, atol=1e-5)
    unmasked = model(garbage, log_snr, cond)
    assert (unmasked - output)[1, :, :17].abs().max() > 1e-2  # without the mask it does


@networks
def test_padding_does_not_count_in_the_loss(network):
    denoiser = NetworkDenoiser(small(network), Cosine(), prediction("v"))
    objective = Objective(Uniform(), Constant())
    x, _ = clouds()
    eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    t = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    mask = (torch.arange(40) < 25).float().expand(3, 1, 40)
    masked = objective.losses(denoiser, x, t, eps, mask=mask)
    cut = objective.losses(denoiser, x[..., :25], t, eps[..., :25])
    assert torch.allclose(masked, cut, rtol=1e-5)
    assert not torch.allclose(masked, objective.losses(denoiser, x, t, eps), rtol=1e-3)


@networks
def test_no_condition_and_the_null_condition_are_bit_identical(network):
    model = small(network, condition=DIMS)
    x, log_snr = clouds()
    unconditional = model(x, log_snr)
    assert torch.equal(model(x, log_snr, conditions().null()), unconditional)


@networks
def test_a_dropped_condition_beside_others_is_one_never_given(network):
    """Whatever stood there, in this sample or in its neighbours."""
    model = small(network, condition=DIMS)
    x, log_snr = clouds()
    one, other = conditions(), replace(conditions(), vector=None, channels=None)
    one = replace(one, channels=None)
    never = model(x, log_snr, add([one.null(), other]))
    for kept in torch.tensor([[False, False, False], [True, False, False], [False, True, False]]):
        output = model(x, log_snr, add([one.keep(kept), other]))
        assert torch.equal(output[~kept], never[~kept])
        assert not kept.any() or (output[kept] - never[kept]).abs().max() > 1e-4


@networks
def test_each_part_of_a_condition_tells(network):
    model = small(network, condition=DIMS)
    x, log_snr = clouds()
    cond, output = conditions(), model(x, log_snr, conditions())
    others = [
        Condition(-cond.vector, cond.tokens, cond.mask, cond.channels),
        Condition(cond.vector, -cond.tokens, cond.mask, cond.channels),
        Condition(cond.vector, cond.tokens, None, cond.channels),
        Condition(cond.vector, cond.tokens, cond.mask, -cond.channels),
    ]
    for other in others:
        assert (model(x, log_snr, other) - output).abs().max() > 1e-4
    masked = torch.where(cond.mask[..., None], cond.tokens, torch.nan)
    assert torch.equal(model(x, log_snr, Condition(cond.vector, masked, cond.mask, cond.channels)), output)


@networks
def test_each_cloud_is_processed_on_its_own(network):
    model = small(network)
    x, log_snr = clouds(4)
    alone = torch.cat([model(x[i : i + 1], log_snr[i : i + 1]) for i in range(4)])
    assert torch.allclose(model(x, log_snr), alone, atol=1e-5)


@networks
def test_recomputed_activations_change_no_gradient(network):
    x, log_snr = clouds()
    gradients = []
    for checkpoint in (False, True):
        model = small(network, condition=DIMS, checkpoint=checkpoint).requires_grad_().train()
        model(x, log_snr, conditions()).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for kept, recomputed in zip(*gradients, strict=True):
        assert torch.allclose(kept, recomputed, rtol=1e-4, atol=1e-5 * float(kept.abs().max()))


@networks
@pytest.mark.parametrize(
    ("shape", "message"),
    [((6, 40), "6 channels; this network takes 3"), ((3, 8, 8), "2 dimensions; this network takes 1, the points")],
)
def test_what_is_no_cloud_is_refused(network, shape, message):
    with pytest.raises(UsageError, match=message):
        small(network).check_shape(shape)


@networks
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"octaves": -1}, "octaves is -1; it must be at least 0"),
        ({"data_channels": 2}, "data_channels is 2; it must be at least 3"),
        ({"dropout": 1.0}, r"dropout is 1.0; it lies in \[0, 1\)"),
        ({"head_width": 0}, "head_width must be at least 1"),
        ({"attention_backend": "flash"}, "unknown attention backend 'flash'"),
    ],
)
def test_options_out_of_range_are_refused(network, options, message):
    with pytest.raises(UsageError, match=message):
        small(network, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latents": 0}, "latents is 0; it must be at least 1"),
        ({"rounds": 0}, "rounds is 0; it must be at least 1"),
        ({"grids": (8, 1)}, "grids is 1; it must be at least 2"),
        ({"width": 20}, "heads of width 8 do not divide 20 channels; 10 does"),
    ],
)
def test_options_of_the_latent_set_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        small(LatentSet, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voxels": (8, 4)}, "voxels are 2 numbers for 3 levels; give 3"),
        ({"voxels": (8, 4, 1)}, "voxels is 1; it must be at least 2"),
        ({"blocks": 0}, "blocks is 0; it must be at least 1"),
        ({"attention": (3,)}, "attention at level 3: there are levels 0 to 2"),
        ({"attention": (), "condition": DIMS}, "no level of the U-Net has attention"),
    ],
)
def test_options_of_the_point_voxel_network_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        small(PVUNet, **options)


def test_levels_have_their_widths_voxels_and_attention():
    model = PVUNet(3, NONE, channels=8, multipliers=(1, 2), voxels=(6, 3), blocks=(1, 2), head_width=8)
    blocks = [*model.down, model.middle, *model.up]
    assert [block.resolution for block in blocks] == [6, 3, 3, 3, 3, 3, 6]
    assert [block.skip.out_features for block in blocks] == [8, 16, 16, 16, 16, 16, 8]
    assert [block.voxels.attention is not None for block in blocks] == [False, True, True, True, True, True, False]
    assert [block.skip.in_features for block in model.up] == [32, 32, 24]
