"""What guidance does, seen where everything is known exactly.

Three bumps in the plane are the classes. A scale above 1 does not only pick the class that is asked for: it pushes its
samples away from the others and together. Guidance that is limited to the middle of the way pushes them less far; so do
the kinds of guidance that were made to. A model that blurs is mended by one that blurs more.
"""

import torch

import polydiff

means = torch.tensor([[0.0, 1.0], [-0.9, -0.5], [0.9, -0.5]])
denoiser = polydiff.oracle.Mixture(means, torch.full((3,), 0.5), torch.ones(3), polydiff.schedule("cosine"))
first_class = polydiff.Condition(vector=torch.tensor([1.0, 0.0, 0.0]).expand(2000, 3))

x_1 = polydiff.prior(denoiser.schedule, polydiff.Seeds(0, range(2000)), (2,))


def show(what, guided):
    x_0 = polydiff.sampler("dpm++2m").sample(guided, x_1, steps=40, cond=first_class)
    (mean_x, mean_y), spread = x_0.mean(0).tolist(), float(x_0.std(0).mean())
    print(f"{what}: mean ({mean_x:+.2f}, {mean_y:+.2f}), standard deviation {spread:.2f}")


for scale, interval in ((1.0, (0.0, 1.0)), (2.0, (0.0, 1.0)), (4.0, (0.0, 1.0)), (4.0, (0.3, 0.7))):
    guided = polydiff.guidance("cfg", denoiser, scale=scale, interval=interval)
    show(f"scale {scale:g} at times {interval}", guided)
for name, scale in (("apg", 4.0), ("cfg-zero*", 4.0), ("cfg++", 0.6)):
    show(f"{name} of scale {scale:g}", polydiff.guidance(name, denoiser, scale=scale))

blurred = polydiff.oracle.Mixture(means, torch.full((3,), 0.65), torch.ones(3), denoiser.schedule)
weaker = polydiff.oracle.Mixture(means, torch.full((3,), 0.85), torch.ones(3), denoiser.schedule)
show("a model that blurs", blurred)
show("with autoguidance", polydiff.guidance("autoguidance", blurred, weaker=weaker, scale=2.0))
