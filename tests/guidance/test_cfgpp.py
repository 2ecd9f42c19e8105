"""CFG++ against the paper's own steps, which keep the guided estimate and the unconditional noise apart."""

import pytest
import torch

import polydiff
from polydiff.core.given import Given, Known


def published(oracle, x, times, cond, scale):
    """DDIM as Chung et al. 2024 change it: guided data, unconditional noise."""
    for t, s in zip(times, times[1:], strict=False):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = oracle.schedule(t), oracle.schedule(s)
        u, c = oracle(x, t), oracle(x, t, cond)
        eps_u = (x - alpha_t * u) / sigma_t
        x = alpha_s * (u + scale * (c - u)) + sigma_s * eps_u
    return x


@pytest.mark.parametrize("scale", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("steps", [1, 4, 25])
def test_with_ddim_it_is_the_papers_method(oracle, noise, cond, scale, steps):
    times = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    guided = polydiff.guidance("cfg++", oracle, scale=scale)
    x_0 = polydiff.sampler("ddim").sample(guided, noise, times=times, cond=cond)
    expected = published(oracle, noise, times, cond, scale)
    torch.testing.assert_close(x_0, expected, rtol=1e-9, atol=1e-9)


def test_it_is_not_plain_guidance(oracle, noise, cond):
    walk = polydiff.sampler("ddim").sample
    plain = walk(polydiff.guidance("cfg", oracle, scale=0.6), noise, steps=10, cond=cond)
    assert (walk(polydiff.guidance("cfg++", oracle, scale=0.6), noise, steps=10, cond=cond) - plain).abs().max() > 0.05


def test_the_whole_way_at_scale_zero_is_unconditional(oracle, noise, cond):
    guided = polydiff.guidance("cfg++", oracle, scale=0.0)
    walk = polydiff.sampler("dpm++2m").sample
    torch.testing.assert_close(walk(guided, noise, steps=10, cond=cond), walk(oracle, noise, steps=10))


def test_a_step_still_takes_one_call(oracle, noise, cond):
    guided = polydiff.guidance("cfg++", oracle, scale=0.6)
    polydiff.sampler("ddim").sample(guided, noise, steps=5, cond=cond)
    assert (oracle.calls, oracle.rows) == (5, 40)


def test_it_knows_the_step_where_part_is_given(oracle, noise, cond):
    """What is told part of the data hands the steps on to the guidance inside."""
    nothing = Known(torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.bool))
    guided = polydiff.guidance("cfg++", oracle, scale=0.6)
    given = Given(guided, nothing, polydiff.Seeds(0, range(4)))
    walk = polydiff.sampler("ddim").sample
    assert torch.equal(walk(given, noise, steps=5, cond=cond), walk(guided, noise, steps=5, cond=cond))
