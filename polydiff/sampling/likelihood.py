"""The log-likelihood of data under a denoiser, by the probability flow.

Along the flow log p changes by minus the divergence of the velocity (Chen et al. 2018, https://arxiv.org/abs/1806.07366;
Song et al. 2021, https://arxiv.org/abs/2011.13456, section 4.3), so that the density of an example is that of its noise
and an integral.

On every schedule it is followed in z = x / sqrt(alpha^2 + sigma^2) and in w = 1 / (1 + (alpha / sigma)^(1/rho)), which
runs from 0, without noise, to 1, without data. With a = alpha / sqrt(alpha^2 + sigma^2),

dz/dw = rho a (a z - E[x_0]) / (w (1 - w)),

which is smooth, and 0 at both ends: they are reached, not cut off, and nothing is divided by sigma.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.noise import DEQUANTIZE, PROBE, Seeds
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError
from polydiff.sampling.sampler import denoise, level_at

RHO = 3
"""Of w: the larger, the more of the steps are far from lambda = 0."""

Traces = Callable[[Tensor, Tensor], Tensor]
"""Gives the trace of the Jacobian of its first argument by its second, (B, K), by K probes."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What an example's density is.

    Attributes
    ----------
    log_density
        (B,) float64, log p(x_0) in nats.
    std_error
        (B,) float64, of `log_density` by the probes; zero with the exact trace.
    x_1
        (B, *), where the probability flow carries the examples.
    evaluations
        Of the denoiser.
    """

    log_density: Tensor
    std_error: Tensor
    x_1: Tensor
    evaluations: int

    def bits_per_dim(self, bin_width: float) -> Tensor:
        """Give -log2 p(x_0) / d - log2(bin_width), (B,).

        For examples that were quantised in bins of this width and to which uniform noise of the same width was added
        (`dequantize`), its mean is no less than the bits per number that the quantised data take (Theis et al. 2016,
        https://arxiv.org/abs/1511.01844, section 3.1). With a width of 1 it is the differential entropy's unit.
        """
        dims = self.x_1[0].numel()
        return -self.log_density / (dims * math.log(2)) - math.log2(bin_width)


def dequantize(x_0: Tensor, bin_width: float, seeds: Seeds) -> Tensor:
    """Spread data that lie in the middle of bins evenly over them; the noise depends on the seeds alone."""
    u = seeds.uniform(x_0.shape[1:], stream=DEQUANTIZE)
    return x_0 + bin_width * (u - 0.5).to(x_0)


def log_likelihood(
    denoiser: Denoiser,
    x_0: Tensor,
    *,
    steps: int = 100,
    cond: Condition | None = None,
    probes: int | None = None,
    seeds: Seeds | None = None,
    start: float = 0.0,
    terminal: Callable[[Tensor], Tensor] | None = None,
) -> Likelihood:
    """Give the density of examples under a denoiser, by Runge and Kutta's method of fourth order.

    Parameters
    ----------
    x_0
        (B, *), data; in float64 for more than some six digits.
    steps
        Of four evaluations each.
    cond
        What the density is conditional on.
    probes
        `None` is the exact trace, by as many backward passes per evaluation as an example has numbers. Otherwise as
        many random ones (Hutchinson's estimate with Rademacher's signs, the same along the whole way): unbiased up to
        the steps' error, with a standard error from how much they differ. At least 2.
    seeds
        The examples' identities, for the probes.
    start
        The time at which the density is taken. At 0 it is the data's own, and on schedules that keep some noise there
        (`edm`) that of data with this noise. Networks that are imprecise where there is next to no noise need more.
    terminal
        log p(x_1), (B, *) -> (B,), at t = 1. `None` is N(0, sigma_1^2): exact where no data is left at t = 1, but on
        `linear` and `edm` what is left of them is missing from it; for data that are known,
        `lambda x_1: oracle.log_density(x_1, 1.0)`.

    Raises
    ------
    UsageError
        For less than one step or two probes, probes without seeds, or a start outside [0, 1).
    """
    if steps < 1:
        raise UsageError(f"a log-likelihood needs at least one step, got {steps}")
    if not 0 <= start < 1:
        raise UsageError(f"a log-likelihood needs a start at least 0 and less than 1, got {start}")
    flow = _Flow(denoiser, cond, _traces(x_0, probes, seeds))
    first, last = (_place(denoiser.schedule, t) for t in (start, 1.0))
    unit = _unit(denoiser.schedule, start)
    z, gain = x_0 / unit, torch.zeros(len(x_0), 1 if probes is None else probes, dtype=torch.float64)
    gain = gain.to(x_0.device)
    places = torch.linspace(first, last, steps + 1, dtype=torch.float64).tolist()
    for here, there in zip(places, places[1:], strict=False):
        z, change = _runge_kutta(flow, z, here, there)
        gain = gain + change
    dims = x_0[0].numel()
    at_end = _unit(denoiser.schedule, 1.0)
    x_1 = at_end * z
    log_p_1 = (terminal or _noise_density(denoiser.schedule))(x_1).double()
    estimates = log_p_1[:, None] + gain + dims * math.log(at_end / unit)
    spread = estimates.std(1) / math.sqrt(probes) if probes else torch.zeros_like(log_p_1)
    return Likelihood(estimates.mean(1), spread, x_1, flow.evaluations)


class _Flow:
    """The velocity dz/dw and its divergence."""

    def __init__(self, denoiser: Denoiser, cond: Condition | None, traces: Traces) -> None:
        self.denoiser, self.cond, self.traces = denoiser, cond, traces
        self.evaluations = 0

    def __call__(self, z: Tensor, w: float) -> tuple[Tensor, Tensor]:
        """Give both at z, (B, *), and the divergence by each probe, (B, K) float64."""
        if not 0 < w < 1:
            return torch.zeros_like(z), self.traces(torch.zeros_like(z), z)
        self.evaluations += 1
        level = level_at(self.denoiser.schedule, RHO * math.log((1 - w) / w))
        unit = math.hypot(level.alpha, level.sigma)
        a, rate = level.alpha / unit, RHO * level.alpha / unit / (w * (1 - w))
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            velocity = rate * (a * z - denoise(self.denoiser, unit * z, level, self.cond))
            divergence = self.traces(velocity, z)
        return velocity.detach(), divergence


def _runge_kutta(flow: _Flow, z: Tensor, here: float, there: float) -> tuple[Tensor, Tensor]:
    """Take one step; give the state and the integral of the divergence."""
    h = there - here
    k_1, d_1 = flow(z, here)
    k_2, d_2 = flow(z + h / 2 * k_1, here + h / 2)
    k_3, d_3 = flow(z + h / 2 * k_2, here + h / 2)
    k_4, d_4 = flow(z + h * k_3, there)
    return z + h / 6 * (k_1 + 2 * k_2 + 2 * k_3 + k_4), h / 6 * (d_1 + 2 * d_2 + 2 * d_3 + d_4)


def _traces(x_0: Tensor, probes: int | None, seeds: Seeds | None) -> Traces:
    if probes is None:
        return _exact_trace
    if probes < 2:
        raise UsageError(f"Hutchinson's estimate needs at least 2 probes, got {probes}")
    if seeds is None:
        raise UsageError("Hutchinson's estimate draws probes: give it seeds=polydiff.Seeds(seed, indices)")
    draws = (seeds.uniform(x_0.shape[1:], stream=PROBE, step=probe) for probe in range(probes))
    signs = [torch.where(u < 0.5, -1.0, 1.0).to(x_0) for u in draws]

    def estimate(y: Tensor, z: Tensor) -> Tensor:
        if not y.requires_grad:
            return torch.zeros(len(z), len(signs), dtype=torch.float64, device=z.device)
        products = [sign * _pulled_back(y, z, sign) for sign in signs]
        return torch.stack([product.reshape(len(z), -1).double().sum(1) for product in products], 1)

    return estimate


def _exact_trace(y: Tensor, z: Tensor) -> Tensor:
    trace = torch.zeros(len(z), 1, dtype=torch.float64, device=z.device)
    if y.requires_grad:
        for index in range(z[0].numel()):
            unit = torch.zeros_like(z)
            unit.view(len(z), -1)[:, index] = 1
            trace += _pulled_back(y, z, unit).reshape(len(z), -1)[:, index : index + 1]
    return trace


def _pulled_back(y: Tensor, z: Tensor, v: Tensor) -> Tensor:
    """Give v times the Jacobian of y by z, sample by sample."""
    (product,) = torch.autograd.grad(y, z, v, retain_graph=True)
    return product


def _place(schedule: Schedule, t: float) -> float:
    """Give w at a time, 0 or 1 where lambda is infinite."""
    return float(torch.sigmoid(-schedule.half_log_snr(t) / RHO))


def _unit(schedule: Schedule, t: float) -> float:
    alpha, sigma = schedule(t)
    return math.hypot(float(alpha), float(sigma))


def _noise_density(schedule: Schedule) -> Callable[[Tensor], Tensor]:
    sigma = float(schedule(1.0)[1])

    def log_density(x_1: Tensor) -> Tensor:
        x = x_1.reshape(len(x_1), -1).double()
        return -x.square().sum(1) / (2 * sigma**2) - x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))

    return log_density
