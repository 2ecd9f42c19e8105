"""A schedule, a denoiser and a sampler: all of diffusion in ten lines, with a denoiser that is known exactly.

The data are two bumps on a line. Where each noise ends up is known without solving anything, so that the error of a
sampler can be read off: it falls with the square of the number of steps for dpm++2m, in proportion for ddim.
"""

import torch

import polydiff

means, stds, weights = torch.tensor([[-1.0, 2.0], [0.4, 0.6], [0.3, 0.7]], dtype=torch.float64)
denoiser = polydiff.oracle.Mixture(means, stds, weights, polydiff.schedule("cosine"))

x_1 = polydiff.prior(denoiser.schedule, polydiff.Seeds(0, range(1000)), ()).double()
exact = denoiser.flow(x_1, 1.0, 0.0)
for name in ("ddim", "dpm++2m"):
    for steps in (10, 20, 40, 80):
        x_0 = polydiff.sampler(name).sample(denoiser, x_1, steps=steps)
        print(f"{name:8} {steps:3} steps: median error {(x_0 - exact).abs().median():.1e}")
