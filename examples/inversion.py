"""From data to noise and back, between two latents, and what density the data have.

The data are two bumps in a plane, known exactly, so that every number can be held against the true one.
"""

import torch

import polydiff

means = torch.tensor([[-1.0, 0.0], [1.0, 0.5]], dtype=torch.float64)
stds, weights = torch.tensor([[0.3, 0.4], [0.5, 0.5]], dtype=torch.float64)
denoiser = polydiff.oracle.Mixture(means, stds, weights, polydiff.schedule("flow"))
x_0 = torch.tensor([[-1.2, 0.3], [-0.8, -0.1], [1.1, 0.9], [0.7, 0.2]], dtype=torch.float64)

for name in ("ddim", "dpm++2m"):
    for steps in (10, 20, 40, 80):
        x_1 = polydiff.invert(denoiser, x_0, sampler=name, steps=steps, grid="t")
        again = polydiff.sampler(name).sample(denoiser, x_1, steps=steps, grid="t")
        print(f"{name:8} {steps:3} steps and back: off by {(again - x_0).norm(dim=1).max():.1e}")

for share in (0.0, 0.25, 0.5, 0.75, 1.0):
    latent = polydiff.slerp(x_1[:1], x_1[2:3], share)
    (x, y), *_ = polydiff.sampler("dpm++2m").sample(denoiser, latent, steps=80, grid="t").tolist()
    print(f"{share:4.0%} of the way: ({x:+.2f}, {y:+.2f})")

true = denoiser.log_density(x_0, 0.0)
exact = polydiff.log_likelihood(denoiser, x_0)
print(f"log-likelihood: off by {(exact.log_density - true).abs().max():.1e} nats with the exact trace")
found = polydiff.log_likelihood(denoiser, x_0, probes=16, seeds=polydiff.Seeds(0, range(4)))
for estimate, error, answer in zip(found.log_density, found.std_error, true, strict=True):
    print(f"by 16 probes {estimate:.3f} +- {error:.3f}; in truth {answer:.3f}")
