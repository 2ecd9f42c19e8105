"""Diffusion of latents, held to what diffusion of the data gives where both are known exactly."""

import pytest
import torch

import polydiff
from polydiff.core.denoiser import Denoiser
from polydiff.core.oracle import Gaussian
from polydiff.data.codec import Codec
from polydiff.errors import DataError
from polydiff.model.latent import FITTED, Latent
from polydiff.nn.autoencoder import Autoencoder, Posterior

D, K = 6, 3


class Numbers(Codec):
    """Contents that are tensors of D numbers."""

    channels = property(lambda self: D)
    shape = property(lambda self: (D, 1))

    def shape_for(self, size):
        return D, int(size)

    def encode(self, content):
        if content.isnan().any():
            raise DataError("not a number")
        return content[:, None]

    def decode(self, x):
        return list(x[..., 0])


class PCA(Autoencoder):
    """The projection on the span of orthonormal columns, about a mean."""

    def __init__(self, axes, mean):
        super().__init__((D, 1))
        self.register_buffer("axes", axes)
        self.register_buffer("centre", mean[:, None])

    def latent_shape(self, shape):
        return K, *shape[1:]

    def encode(self, x):
        z = self.axes.T @ (x - self.centre)
        return Posterior(z, torch.full_like(z, -30.0))

    def decode(self, z):
        return self.centre + self.axes @ z


class Correlated(Denoiser):
    """The exact denoiser of N(m, C): m + alpha C (alpha^2 C + sigma^2 I)^-1 (x_t - alpha m)."""

    def __init__(self, mean, covariance, schedule):
        super().__init__()
        self.mean, self.covariance, self.schedule = mean, covariance, schedule

    def forward(self, x_t, t, cond=None):
        alpha, sigma = (float(c) for c in self.schedule(t))
        of_x_t = alpha**2 * self.covariance + sigma**2 * torch.eye(D, dtype=x_t.dtype)
        gain = alpha * self.covariance @ torch.linalg.inv(of_x_t)
        return self.mean + gain @ (x_t - alpha * self.mean)


@pytest.fixture
def gaussian():
    """Mean, principal axes and variances along them."""
    generator = torch.Generator().manual_seed(0)
    axes, _ = torch.linalg.qr(torch.randn(D, K, dtype=torch.float64, generator=generator))
    return torch.randn(D, dtype=torch.float64, generator=generator), axes, torch.tensor([4.0, 1.0, 0.09]).double()


@pytest.fixture
def contents(gaussian):
    """Contents whose mean and covariance are exactly those of the Gaussian."""
    mean, axes, variances = gaussian
    return [mean + sign * (K * v).sqrt() * axis for axis, v in zip(axes.T, variances, strict=True) for sign in (-1, 1)]


@pytest.fixture
def latent(gaussian, contents):
    mean, axes, _ = gaussian
    codec = Latent(Numbers(), PCA(axes, mean)).double()
    codec.fit([torch.full((D,), torch.nan).double(), *contents])
    return codec


def test_scale_is_the_mean_and_std_of_each_channel(latent, gaussian):
    _, _, variances = gaussian
    assert torch.allclose(latent.mean, torch.zeros(K, 1).double(), atol=1e-12)
    assert torch.allclose(latent.std[:, 0] ** 2, variances, rtol=1e-12)


def test_a_channel_that_never_changes_is_left_at_its_scale(gaussian):
    mean, axes, _ = gaussian
    codec = Latent(Numbers(), PCA(axes, mean)).double()
    codec.fit([mean, mean + axes[:, 0]])
    assert torch.equal(codec.std[1:], torch.ones(K - 1, 1).double())
    assert codec.encode(mean).isfinite().all()


def test_so_many_contents_are_measured(gaussian):
    mean, axes, _ = gaussian
    asked = []
    Latent(Numbers(), PCA(axes, mean)).double().fit(asked.append(1) or mean for _ in range(10 * FITTED))
    assert len(asked) == FITTED


def test_contents_of_the_model_come_back(latent, contents):
    for content in contents:
        assert torch.allclose(latent.decode(latent.encode(content)[None])[0], content, atol=1e-12)
    z = torch.randn(4, K, 1, dtype=torch.float64)
    again = torch.stack([latent.encode(content) for content in latent.decode(z)])
    assert torch.allclose(again, z, atol=1e-12)


def test_latent_sampling_gives_the_flow_of_the_data(latent, gaussian):
    """The probability flow from the same noise, in data and, by its projection, in latent space."""
    mean, axes, variances = gaussian
    schedule = polydiff.schedule("cosine")
    x_1 = torch.randn(8, D, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    covariance = axes @ variances.diag() @ axes.T
    sampler = polydiff.sampler("dpm++2m")
    of_data = sampler.sample(Correlated(mean[:, None], covariance, schedule), x_1, steps=400)
    oracle = Gaussian(torch.zeros(K, 1).double(), torch.ones(()).double(), schedule)
    z = sampler.sample(oracle, axes.T @ x_1, steps=400)
    decoded = torch.stack(latent.decode(z))
    assert torch.allclose(decoded, of_data[..., 0], atol=2e-3)


def test_latent_flow_decodes_to_the_projected_gaussian(latent, gaussian):
    """The exact flow is linear in the noise: what it decodes to has mean m and covariance U diag(v) U^T."""
    mean, axes, variances = gaussian
    oracle = Gaussian(torch.zeros(K, 1).double(), torch.ones(()).double(), polydiff.schedule("cosine"))
    basis = torch.cat([torch.zeros(1, K), torch.eye(K)])[..., None].double()
    at_zero, *columns = latent.decode(oracle.flow(basis, 1.0, 0.0))
    assert torch.allclose(at_zero, mean, atol=1e-8)
    root = torch.stack([column - at_zero for column in columns], 1)
    assert torch.allclose(root @ root.T, axes @ variances.diag() @ axes.T, atol=1e-8)


def test_sizes_are_those_of_the_data(latent):
    assert latent.shape_for("5") == (K, 5)
    assert latent.shape == (K, 1)
    assert latent.channels == K


def test_it_has_windows_where_the_codec_of_the_data_has(gaussian):
    mean, axes, _ = gaussian

    class Timed(Numbers):
        windowed = True

    assert Latent(Timed(), PCA(axes, mean)).windowed
    assert not Latent(Numbers(), PCA(axes, mean)).windowed


def test_posterior_is_torchs_normal():
    output = torch.randn(4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    posterior = Posterior.of(output)
    normal = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    standard = torch.distributions.Normal(torch.zeros(()).double(), torch.ones(()).double())
    expected = torch.distributions.kl_divergence(normal, standard).flatten(1).mean(1)
    assert torch.allclose(posterior.kl(), expected, rtol=1e-12)
    eps = torch.randn(4, 3, 5, dtype=torch.float64)
    assert torch.allclose(posterior.sample(eps), normal.loc + normal.scale * eps, rtol=1e-12)
    assert torch.equal(posterior.sample(torch.zeros_like(eps)), posterior.mean)
