"""Adaptive projected guidance against its formulas written out, sample by sample."""

import pytest
import torch

import polydiff
from polydiff.errors import UsageError


def published(c, u, scale, eta, threshold, average=None, momentum=0.0):
    """Sadat et al. 2024 for one sample: momentum, then the norm, then the projection."""
    d = c - u
    if average is not None:
        d = d + momentum * average
    average = d
    if threshold is not None:
        d = d * min(1.0, threshold / float(d.norm()))
    direction = c / c.norm()
    parallel = (d @ direction) * direction
    return c + (scale - 1) * (d - parallel + eta * parallel), average


@pytest.mark.parametrize(("eta", "threshold"), [(0.0, None), (0.3, None), (0.0, 0.2), (0.7, 0.2), (1.0, None)])
def test_estimate_is_the_papers(oracle, states, cond, eta, threshold):
    guided = polydiff.guidance("apg", oracle, scale=4.0, eta=eta, threshold=threshold)
    for t, x_t in states:
        c, u = oracle(x_t, t, cond), oracle(x_t, t)
        expected = [published(c[i], u[i], 4.0, eta, threshold)[0] for i in range(4)]
        torch.testing.assert_close(guided(x_t, t, cond), torch.stack(expected), rtol=1e-10, atol=1e-10)


def test_with_nothing_projected_it_is_cfg(oracle, noise, cond):
    walk = polydiff.sampler("ddim").sample
    apg = polydiff.guidance("apg", oracle, scale=4.0, eta=1.0, momentum=0.0)
    cfg = polydiff.guidance("cfg", oracle, scale=4.0)
    torch.testing.assert_close(walk(apg, noise, steps=6, cond=cond), walk(cfg, noise, steps=6, cond=cond))


def test_momentum_runs_along_one_walk(oracle, noise, cond):
    times = torch.linspace(1, 0, 6, dtype=torch.float64)
    guided = polydiff.guidance("apg", oracle, scale=4.0, threshold=1.5, momentum=-0.6)
    x, averages = noise, [None] * 4
    for t, s in zip(times, times[1:], strict=False):
        c, u = oracle(x, t, cond), oracle(x, t)
        each = [published(c[i], u[i], 4.0, 0.0, 1.5, averages[i], -0.6) for i in range(4)]
        x0, averages = torch.stack([x0 for x0, _ in each]), [average for _, average in each]
        (alpha_t, sigma_t), (alpha_s, sigma_s) = oracle.schedule(t), oracle.schedule(s)
        x = alpha_s * x0 + sigma_s * (x - alpha_t * x0) / sigma_t
    for _ in range(2):  # the second walk finds nothing of the first
        walked = polydiff.sampler("ddim").sample(guided, noise, times=times, cond=cond)
        torch.testing.assert_close(walked, x, rtol=1e-8, atol=1e-8)


def test_walks_do_not_meet(oracle, noise, cond):
    """Two walks of one object, step by step in turn."""
    guided = polydiff.guidance("apg", oracle, scale=4.0)
    times = torch.linspace(0.9, 0.3, 4, dtype=torch.float64)
    alone = [each(noise, t, cond) for each, t in zip(guided.along(times), times, strict=False)]
    one, other = guided.along(times), guided.along(times)
    in_turn = [(a(noise, t, cond), b(-noise, t, cond))[0] for a, b, t in zip(one, other, times, strict=False)]
    assert all(map(torch.equal, alone, in_turn))


def test_momentum_needs_samples_at_the_same_times(oracle, noise, cond):
    walk = polydiff.sampler("dpm-adaptive").sample
    with pytest.raises(UsageError, match="say momentum=0"):
        walk(polydiff.guidance("apg", oracle, scale=2.0), noise, steps=1, cond=cond)
    assert walk(polydiff.guidance("apg", oracle, scale=2.0, momentum=0.0), noise, steps=1, cond=cond).isfinite().all()
