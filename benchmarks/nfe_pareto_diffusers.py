"""diffusers' samplers, each with its options, driven by an exact denoiser."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import diffusers
import torch
from torch import Tensor

from polydiff.core.denoiser import Denoiser

SPACINGS = ("linspace", "trailing", "leading")
SIGMAS = ({}, {"use_karras_sigmas": True}, {"use_exponential_sigmas": True}, {"use_beta_sigmas": True})
SCALED = (
    diffusers.EulerDiscreteScheduler,
    diffusers.HeunDiscreteScheduler,
    diffusers.KDPM2DiscreteScheduler,
    diffusers.LMSDiscreteScheduler,
)
"""Those whose state is x / alpha."""

OPTIONS: tuple[tuple[type, tuple[dict[str, Any], ...]], ...] = (
    (
        diffusers.DPMSolverMultistepScheduler,
        tuple(
            {"solver_order": order, "solver_type": kind, "euler_at_final": euler, **sigmas}
            for order, kind, euler in itertools.product((2, 3), ("midpoint", "heun"), (False, True))
            for sigmas in (*SIGMAS, {"use_lu_lambdas": True})
        ),
    ),
    (
        diffusers.UniPCMultistepScheduler,
        tuple(
            {"solver_order": order, "solver_type": kind, "final_sigmas_type": "zero", **sigmas}
            for order, kind, sigmas in itertools.product((1, 2, 3), ("bh1", "bh2"), SIGMAS)
        ),
    ),
    (
        diffusers.DEISMultistepScheduler,
        tuple({"solver_order": order, **sigmas} for order, sigmas in itertools.product((2, 3), SIGMAS)),
    ),
    (diffusers.EulerDiscreteScheduler, SIGMAS),
    (diffusers.HeunDiscreteScheduler, SIGMAS),
    (diffusers.KDPM2DiscreteScheduler, SIGMAS),
    (diffusers.LMSDiscreteScheduler, SIGMAS),
    (diffusers.DDIMScheduler, ({"clip_sample": False},)),
    (diffusers.PNDMScheduler, ({"skip_prk_steps": True, "set_alpha_to_one": True},)),
)
UNSPACED = tuple(
    {"solver_order": order, "solver_type": kind, "lower_order_final": True, **sigmas}
    for order, kind, sigmas in itertools.product((2, 3), ("midpoint", "heun"), SIGMAS)
)
"""Of the single-step DPM-Solver, which has no spacing to choose."""

BETAS = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
"""Of the 1000 steps; some samplers have others by default."""

Make = Callable[[], Any]


def configurations() -> Iterator[tuple[str, dict[str, Any], Make]]:
    """Give each sampler's name, its options and what makes it."""
    settings = [
        (kind, {"timestep_spacing": spacing, **options})
        for kind, variants in OPTIONS
        for spacing, options in itertools.product(SPACINGS, variants)
    ]
    settings += [(diffusers.DPMSolverSinglestepScheduler, options) for options in UNSPACED]
    for kind, options in settings:
        yield kind.__name__.removesuffix("Scheduler"), options, functools.partial(kind, **BETAS, **options)


def walk(make: Make, denoiser: Denoiser, x_1: Tensor, budget: int) -> Tensor | None:
    """Run a sampler with the most steps that take no more than `budget` evaluations; `None` where it cannot."""
    for steps in range(budget, 0, -1):
        scheduler = make()
        try:
            scheduler.set_timesteps(steps)
        except (ValueError, IndexError):
            continue
        if len(scheduler.timesteps) <= budget:
            return _run(scheduler, denoiser, x_1)
    return None


@torch.no_grad()
def _run(scheduler: Any, denoiser: Denoiser, x: Tensor) -> Tensor:
    """Evaluate at the exact level, which their integer timesteps round."""
    schedule, scaled = denoiser.schedule, isinstance(scheduler, SCALED)
    by_sigma = hasattr(scheduler, "sigmas")
    if by_sigma:
        scheduler.set_begin_index(0)
    for index, timestep in enumerate(scheduler.timesteps):
        if by_sigma:
            t = schedule.time(-2 * _ratio(scheduler, index).double().log())
        else:
            t = (timestep.double() + 1) / len(scheduler.alphas_cumprod)
        alpha, sigma = schedule(t)
        if scaled and index == 0:
            x = x / alpha
        seen = scheduler.scale_model_input(x, timestep)
        eps = (seen - alpha * denoiser(seen, t)) / sigma
        x = scheduler.step(eps, timestep, x).prev_sample
    return x


def _ratio(scheduler: Any, index: int) -> Tensor:
    """Give the sigma / alpha at which the sampler is to be evaluated."""
    between = isinstance(scheduler, diffusers.KDPM2DiscreteScheduler) and not scheduler.state_in_first_order
    ratio: Tensor = scheduler.sigmas_interpol[index] if between else scheduler.sigmas[index]
    return ratio
