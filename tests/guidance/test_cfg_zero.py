"""CFG-Zero* against its formulas on the velocities of the flow schedule, and the same method on every other."""

import pytest
import torch

import polydiff
from tests.guidance.conftest import mixture


def published(flow, x, times, cond, scale, zero_steps):
    """Euler's method on the velocities of Fan et al. 2025, one sample at a time."""
    for index, (t, s) in enumerate(zip(times, times[1:], strict=False)):
        if index >= zero_steps:
            # dx/dt = eps - x_0 at x_t = (1 - t) x_0 + t eps
            v_c, v_u = ((x - flow(x, t, given)) / t for given in (cond, None))
            optimal = torch.stack([(a @ b) / (b @ b) for a, b in zip(v_c, v_u, strict=True)])[:, None]
            x = x + (s - t) * ((1 - scale) * optimal * v_u + scale * v_c)
    return x


@pytest.mark.parametrize("zero_steps", [0, 1, 2])
@pytest.mark.parametrize("oracle", ["flow"], indirect=True)
def test_on_flow_it_is_the_papers_method(oracle, noise, cond, zero_steps):
    times = torch.linspace(1, 0, 9, dtype=torch.float64)
    guided = polydiff.guidance("cfg-zero*", oracle, scale=4.0, zero_steps=zero_steps)
    x_0 = polydiff.sampler("ddim").sample(guided, noise, times=times, cond=cond)
    expected = published(oracle, noise, times, cond, 4.0, zero_steps)
    torch.testing.assert_close(x_0, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("zero_steps", [0, 1])
def test_every_schedule_takes_the_same_way(oracle, cond, zero_steps):
    """x_t / (alpha + sigma) is the state of the flow schedule with the same log-SNR."""
    flow = mixture("flow")
    times = torch.linspace(0.95, 0.1, 8, dtype=torch.float64)
    flow_times = flow.schedule.time(oracle.schedule.log_snr(times))
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alpha, sigma = oracle.schedule(times)
    options = {"scale": 3.0, "zero_steps": zero_steps}
    walk = polydiff.sampler("ddim").sample
    ours = walk(polydiff.guidance("cfg-zero*", oracle, **options), x * (alpha + sigma)[0], times=times, cond=cond)
    theirs = walk(polydiff.guidance("cfg-zero*", flow, **options), x, times=flow_times, cond=cond)
    torch.testing.assert_close(ours / (alpha + sigma)[-1], theirs, rtol=1e-8, atol=1e-8)


def test_at_rest_the_network_is_not_evaluated(oracle, noise, cond):
    guided = polydiff.guidance("cfg-zero*", oracle, scale=4.0, zero_steps=2)
    polydiff.sampler("ddim").sample(guided, noise, steps=5, cond=cond)
    assert (oracle.calls, oracle.rows) == (3, 24)
    polydiff.sampler("ddim").sample(guided, noise, steps=5)  # nothing is guided: no rest
    assert oracle.calls == 8
