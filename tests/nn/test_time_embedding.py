import math

import torch

from polydiff.nn.time_embedding import TimeEmbedding, log_snr_features


def test_features_are_sines_and_cosines_of_wavelengths_80_to_1():
    log_snr = torch.tensor([0.0, 20.0, 0.25])
    features = log_snr_features(log_snr, 8)
    assert torch.allclose(features[0], torch.tensor([0.0] * 4 + [1.0] * 4))
    assert math.isclose(features[1, 0], 1.0, abs_tol=1e-5)  # a quarter of the longest wave
    assert math.isclose(features[2, 3], 1.0, abs_tol=1e-5)  # a quarter of the shortest


def test_the_slowest_feature_is_monotone_over_the_whole_range():
    slowest = log_snr_features(torch.linspace(-20, 20, 401), 64)[:, 0]
    assert (slowest.diff() > 0).all()


def test_features_tell_neighbouring_noise_levels_apart_everywhere():
    """A tenth of log-SNR moves the features by a good part of their norm, sqrt(32), all over the range."""
    log_snr = torch.linspace(-20, 20, 401)
    features = log_snr_features(log_snr, 64)
    assert (features.diff(dim=0).norm(dim=1) > 0.5).all()
    distance = torch.cdist(features, features)
    far = (log_snr[:, None] - log_snr[None]).abs() >= 0.5
    assert distance[far].min() > 2.0


def test_the_embedding_has_its_width_and_the_precision_of_its_weights():
    embedding = TimeEmbedding(24).double()(torch.linspace(-20, 20, 5))
    assert embedding.shape == (5, 24)
    assert embedding.dtype == torch.float64
    assert embedding.std(0).min() > 1e-3
