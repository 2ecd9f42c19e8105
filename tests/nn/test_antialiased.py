import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor, nn

from polydiff.nn.antialiased import REACH, AntialiasedDownsample, AntialiasedUpsample, low_pass, primes
from polydiff.nn.resampling import Downsample, Upsample

COARSE = 256
"""Positions at the coarser resolution."""
INSIDE = slice(16, -16)
"""Those, at the coarser resolution, that the zeros beyond the ends do not reach."""
FACTORS = [2, 3, 4, 6, 8]


def direct(module: nn.Module) -> nn.Module:
    """Let the convolution of a change of resolution of one channel pass its input on."""
    with torch.no_grad():
        nn.init.zeros_(module.conv.bias)
        weight = nn.init.zeros_(module.conv.weight)
        weight[(0, 0, *(weight.shape[2] // 2,) * (weight.ndim - 2))] = 1
    return module.requires_grad_(False)


def sine(cycles: float, positions: int) -> Tensor:
    """Give (1, 1, positions) of a sine of so many cycles a position."""
    return torch.sin(2 * math.pi * cycles * torch.arange(positions) + 0.3)[None, None]


def decibels(x: Tensor) -> float:
    """Measure the level over that of a full sine."""
    return 10 * math.log10(2 * x.square().mean() + 1e-30)


def worst_alias(down: Callable[[Tensor], Tensor], factor: int) -> float:
    """Give the highest level of what is left of sines well above the highest frequency of the coarser grid."""
    frequencies = np.linspace(1.5, factor, 24, endpoint=False) / (2 * factor)
    return max(decibels(down(sine(f, COARSE * factor))[..., INSIDE]) for f in frequencies)


def worst_image(up: Callable[[Tensor], Tensor], factor: int) -> float:
    """Give the highest level of what interpolated sines have beside themselves."""
    inside = slice(INSIDE.start * factor, INSIDE.stop * factor)
    levels = []
    for cycles in np.linspace(0.01, 0.25, 24):  # up to half of the highest frequency
        out = up(sine(cycles, COARSE))[0, 0, inside].double()
        angles = 2 * math.pi * cycles / factor * torch.arange(len(out), dtype=torch.float64)
        basis = torch.stack((angles.sin(), angles.cos()), 1)
        levels.append(decibels(out - basis @ torch.linalg.lstsq(basis, out[:, None]).solution[:, 0]))
    return max(levels)


@pytest.mark.parametrize("factor", FACTORS)
def test_sines_above_the_coarser_grids_limit_are_damped(factor):
    assert worst_alias(direct(AntialiasedDownsample(1, 1, 1, factor)), factor) < -34


@pytest.mark.parametrize("factor", FACTORS)
def test_interpolated_sines_have_no_mirror_images(factor):
    assert worst_image(direct(AntialiasedUpsample(1, 1, 1, factor)), factor) < -34


@pytest.mark.parametrize("factor", FACTORS)
def test_plain_changes_of_resolution_fail_these_measures(factor):
    """Even with the mean over each stride, the best that their short kernels can do about it."""
    down = Downsample(1, 1, 1, factor).requires_grad_(False)
    nn.init.zeros_(down.conv.bias)
    nn.init.constant_(down.conv.weight, 1 / down.conv.kernel_size[0])
    assert worst_alias(down, factor) > -20
    assert worst_alias(lambda x: x[..., ::factor], factor) > -1
    assert worst_image(direct(Upsample(1, 1, 1, factor)), factor) > -20


@pytest.mark.parametrize("factor", FACTORS)
def test_low_frequencies_come_back_where_they_were(factor):
    """Down and up again delays nothing and loses little of what the coarser grid holds well."""
    there_and_back = nn.Sequential(
        direct(AntialiasedDownsample(1, 1, 1, factor)), direct(AntialiasedUpsample(1, 1, 1, factor))
    )
    inside = slice(INSIDE.start * factor, INSIDE.stop * factor)
    for share in (0.05, 0.2, 0.5):
        x = sine(share / (2 * factor), COARSE * factor)
        assert decibels((there_and_back(x) - x)[..., inside]) < -26


@pytest.mark.parametrize("factor", [2, 3, 4, 6])
@pytest.mark.parametrize("dimension", [1, 2])
def test_a_constant_stays_one(factor, dimension):
    x = torch.full((1, 1, *(24 * factor,) * dimension), 0.7)
    down, up = (direct(kind(dimension, 1, 1, factor)) for kind in (AntialiasedDownsample, AntialiasedUpsample))
    for out, ends in ((down(x), 6), (up(x), 6 * factor)):
        inside = out[(..., *(slice(ends, -ends),) * dimension)]
        assert torch.allclose(inside, torch.full_like(inside, 0.7), atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_the_filter_is_a_windowed_sinc(factor):
    """That which SciPy designs, but for the phases, which sum to one exactly."""
    ours = low_pass(factor).numpy()
    phases = scipy.signal.firwin(len(ours), 1 / factor, window=("kaiser", 3.0)).reshape(-1, factor)
    assert np.allclose(ours, (phases / phases.sum(0)).ravel() / factor, atol=1e-7)
    assert np.allclose(phases.sum(0), 1 / factor, atol=5e-3)
    limit = math.pi / factor
    _, response = scipy.signal.freqz(ours, worN=[0, limit / 2, limit])
    assert np.abs(response) == pytest.approx([1, 1, 0.5], abs=0.02)
    assert np.allclose(ours, ours[::-1])


@pytest.mark.parametrize("factor", [2, 3, 4, 6])
def test_filters_follow_each_other_as_upfirdn_does(factor):
    x = torch.randn(1, 1, 12 * factor, generator=torch.Generator().manual_seed(0))
    expected_down = expected_up = x[0, 0].double().numpy()
    for prime in primes(factor):
        taps = low_pass(prime).double().numpy()
        padded = np.pad(expected_down, REACH * prime)
        expected_down = scipy.signal.convolve(padded, taps, mode="valid")[::prime]
    for prime in reversed(primes(factor)):
        taps, length = prime * low_pass(prime).double().numpy(), prime * len(expected_up)
        expected_up = scipy.signal.upfirdn(taps, expected_up, up=prime)[REACH * prime :][:length]
    down, up = (direct(kind(1, 1, 1, factor)) for kind in (AntialiasedDownsample, AntialiasedUpsample))
    assert np.allclose(down(x)[0, 0], expected_down, atol=1e-5)
    assert np.allclose(up(x)[0, 0], expected_up, atol=1e-5)


@pytest.mark.parametrize("kind", [AntialiasedDownsample, AntialiasedUpsample])
def test_axes_are_filtered_one_by_one(kind):
    generator = torch.Generator().manual_seed(0)
    factors = [torch.randn(6, generator=generator) for _ in range(3)]
    line, cube = (direct(kind(dimension, 1, 1, 2)) for dimension in (1, 3))
    product = torch.einsum("i,j,k->ijk", *factors)[None, None]
    expected = torch.einsum("i,j,k->ijk", *(line(f[None, None])[0, 0] for f in factors))
    assert torch.allclose(cube(product)[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("factor", [1, 2, 3, 6])
def test_sizes_are_divided_and_multiplied_and_channels_mixed(dimension, factor, randomised):
    x = torch.randn(2, 4, *(12, 6, 12)[:dimension])
    down = randomised(AntialiasedDownsample(dimension, 4, 6, factor))
    up = randomised(AntialiasedUpsample(dimension, 6, 4, factor))
    small = down(x)
    assert small.shape == (2, 6, *(size // factor for size in x.shape[2:]))
    assert up(small).shape == x.shape
    assert not torch.allclose(down(x.roll(1, 1)), small, atol=1e-3)


@pytest.mark.parametrize(("plain", "kind"), [(Downsample, AntialiasedDownsample), (Upsample, AntialiasedUpsample)])
def test_filters_are_no_weights(plain, kind):
    """Nothing of them is learnt or saved, and they follow the module to another type."""
    module = kind(1, 4, 6, 4)
    assert module.state_dict().keys() == plain(1, 4, 6, 4).state_dict().keys()
    assert module.double()(torch.randn(1, 4, 8, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(("number", "expected"), [(1, []), (2, [2]), (12, [2, 2, 3]), (35, [5, 7]), (97, [97])])
def test_numbers_are_factorised(number, expected):
    assert primes(number) == expected
