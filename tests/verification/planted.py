"""A plugin of samplers, a schedule and a guidance with the faults that such things are shipped with, and sound ones."""

import torch

import polydiff
from polydiff.core.schedule import Cosine, Flow
from polydiff.plugins.specs import GuidanceSpec, SamplerSpec, ScheduleSpec
from polydiff.sampling.ddpm import DDPM
from polydiff.sampling.dpmpp_2m import DPMpp2M
from polydiff.sampling.history import Past
from polydiff.sampling.sampler import Level, Sampler, Step, advance, denoise

POLYDIFF_API = 1


@polydiff.hookimpl
def polydiff_samplers():
    yield SamplerSpec("sound", "planted:Sound", order=2)
    yield SamplerSpec("sound-large", "planted:SoundLarge", order=1, stochastic=True)
    yield SamplerSpec("wrong-factor", "planted:WrongFactor", order=2)
    yield SamplerSpec("stride", "planted:Stride", order=1)
    yield SamplerSpec("two-shifts", "planted:TwoShifts", order=1)
    yield SamplerSpec("global-noise", "planted:GlobalNoise", order=1, stochastic=True)
    yield SamplerSpec("too-proud", "planted:Euler", order=2)
    yield SamplerSpec("loud", "planted:Loud", order=1, stochastic=True)
    yield SamplerSpec("stops-early", "planted:StopsEarly", order=1)
    yield SamplerSpec("no-alpha", "planted:NoAlpha", order=1)
    yield SamplerSpec("secretly-noisy", "planted:SoundLarge", order=1)
    yield SamplerSpec("falsely-noisy", "planted:Euler", order=1, stochastic=True)
    yield SamplerSpec("batch-threshold", "planted:BatchThreshold", order=1)
    yield SamplerSpec("asks-twice", "planted:AsksTwice", order=1)
    yield SamplerSpec("remembers", "planted:Remembers", order=2)
    yield SamplerSpec("divides-by-alpha", "planted:DividesByAlpha", order=1)
    yield SamplerSpec("single", "planted:Single", order=1)
    yield SamplerSpec("needy", "planted:Needy", order=1)
    yield SamplerSpec("lost", "planted:Nowhere", order=1)


@polydiff.hookimpl
def polydiff_schedules():
    yield ScheduleSpec("no-inverse", "planted:NoInverse")
    yield ScheduleSpec("wavy", "planted:Wavy")
    yield ScheduleSpec("mislabelled", "planted:Mislabelled")
    yield ScheduleSpec("narrow", "planted:Narrow")


@polydiff.hookimpl
def polydiff_guidances():
    yield GuidanceSpec("off-at-zero", "planted:OffAtZero", neutral={"scale": 1.0})
    yield GuidanceSpec("of-files", "planted:OffAtZero", neutral={"scale": 1.0}, needs="files")
    yield GuidanceSpec("half-bayes", "planted:HalfBayes", neutral={"scale": 0.0}, needs="classifier")


class Euler(Sampler):
    """Sound, of first order."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        x0 = denoise(denoiser, x_t, t, cond)
        return Step(advance(x_t, x0, t, s), x0)


class Sound(DPMpp2M):
    """Someone's own DPM-Solver++(2M)."""


class SoundLarge(DDPM):
    """Noise whose variance is right in the limit only."""

    def __init__(self):
        super().__init__(variance="large")


class WrongFactor(Sampler):
    """DPM-Solver++(2M) that extrapolates to the end of the step instead of to its middle."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        x0 = denoise(denoiser, x_t, t, cond)
        estimate = x0
        if carry is not None and s.sigma > 0 and carry.level.alpha > 0:
            h, h_before = s.half_log_snr - t.half_log_snr, t.half_log_snr - carry.level.half_log_snr
            estimate = x0 + h / h_before * (x0 - carry.x0)
        return Step(advance(x_t, estimate, t, s), x0, Past(t, x0))


class Stride(Euler):
    """Reads the level to go to from a table, one entry too far."""

    def begin(self, path):
        return path

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        place = min(carry.index(s) + 1, len(carry) - 1)
        step = super().step(denoiser, x_t, t, carry[place], cond=cond, carry=None, noise=noise)
        return Step(step.x_s, step.x0, carry)


class TwoShifts(Euler):
    """Shifts the time for the denoiser, whose schedule is shifted already."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        shifted = 3 * t.t / (1 + 2 * t.t)
        x0 = denoise(denoiser, x_t, Level(shifted, t.alpha, t.sigma), cond)
        return Step(advance(x_t, x0, t, s), x0)


class StopsEarly(Euler):
    """Leaves out the last step."""

    def sample(self, denoiser, x_t, *, times=None, steps=None, **options):
        if times is not None and len(times) > 2:
            return super().sample(denoiser, x_t, times=times[:-1], **options)
        return super().sample(denoiser, x_t, times=times, steps=steps, **options)


class GlobalNoise(DDPM):
    """Draws from the generator of the process."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        noise(0)
        return super().step(denoiser, x_t, t, s, cond=cond, carry=carry, noise=lambda: torch.randn_like(x_t))


class Loud(DDPM):
    """Noise a tenth too large."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        return super().step(denoiser, x_t, t, s, cond=cond, carry=carry, noise=lambda: 1.1 * noise())


class NoAlpha(Sampler):
    """Written for variance exploding schedules, where the data is not scaled."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        x0 = denoise(denoiser, x_t, t, cond)
        return Step(x0 + s.sigma / t.sigma * (x_t - x0), x0)


class BatchThreshold(Euler):
    """Clips the estimate at a quantile of the whole batch."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        x0 = denoise(denoiser, x_t, t, cond)
        limit = x0.abs().quantile(0.9)
        return Step(advance(x_t, x0.clamp(-limit, limit), t, s), x0)


class Remembers(Sampler):
    """DPM-Solver++(2M) that keeps its history to itself, and so into the next walk."""

    past = None

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        x0 = denoise(denoiser, x_t, t, cond)
        estimate = x0
        if self.past is not None and s.sigma > 0 and t.alpha > 0:
            h, h_before = s.half_log_snr - t.half_log_snr, t.half_log_snr - self.past.level.half_log_snr
            estimate = x0 + h / (2 * h_before) * (x0 - self.past.x0)
        self.past = Past(t, x0)
        return Step(advance(x_t, estimate, t, s), x0)


class AsksTwice(Euler):
    """Evaluates the denoiser and throws the estimate away."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        denoise(denoiser, x_t, t, cond)
        return super().step(denoiser, x_t, t, s, cond=cond, carry=carry, noise=noise)


class DividesByAlpha(Euler):
    """Walks x / alpha, which is infinite where there is no data."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        x0 = denoise(denoiser, x_t, t, cond)
        y = x_t / t.alpha
        return Step(s.alpha * (y + (s.sigma / s.alpha - t.sigma / t.alpha) * (y - x0) / (t.sigma / t.alpha)), x0)


class Single(Euler):
    """Computes in single precision, whatever it is given, and gives double."""

    def step(self, denoiser, x_t, t, s, *, cond, carry, noise):
        step = super().step(denoiser, x_t, t, s, cond=cond, carry=carry, noise=noise)
        return Step(step.x_s.double(), step.x0)


class Needy(Euler):
    """Cannot be built without an option."""

    def __init__(self, *, tolerance):
        self.tolerance = tolerance


class NoInverse(Cosine):
    def time(self, log_snr):
        return super().time(log_snr) + 1e-4


class Wavy(Flow):
    def log_snr(self, t):
        log_snr = super().log_snr(t)
        return log_snr + torch.sin(40 * torch.as_tensor(t))


class Mislabelled(Cosine):
    """Says alpha where alpha² belongs."""

    def coefficients(self, log_snr):
        alpha, sigma = super().coefficients(log_snr)
        return alpha**2, sigma**2


class Narrow(Cosine):
    def log_snr(self, t):
        return super().log_snr(t).float()


class OffAtZero(polydiff.Denoiser):
    """The convention of which scale 0 is the conditional one."""

    def __init__(self, denoiser, *, scale):
        super().__init__()
        self.schedule, self.denoiser, self.scale = denoiser.schedule, denoiser, scale

    def forward(self, x_t, t, cond=None):
        c = self.denoiser(x_t, t, cond)
        return c + self.scale * (c - self.denoiser(x_t, t))


class HalfBayes(polydiff.Denoiser):
    """Half of the gradient that Bayes' rule asks for."""

    def __init__(self, denoiser, *, classifier, scale):
        super().__init__()
        self.schedule, self.denoiser = denoiser.schedule, denoiser
        self.classifier, self.scale = classifier, scale

    def forward(self, x_t, t, cond=None):
        x0 = self.denoiser(x_t, t, cond)
        if cond is None or self.scale == 0:
            return x0
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.classifier(x, t, cond).sum(), x)
        alpha, sigma = (c.reshape(-1, 1) for c in self.schedule(t))
        return x0 + self.scale / 2 * sigma**2 / alpha * gradient
