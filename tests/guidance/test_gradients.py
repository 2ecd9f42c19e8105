"""Guidance by gradients where the answer is known: exact classifiers of a mixture, exact tilts of Gaussian data."""

import pytest
import torch

import polydiff
from polydiff.core.oracle import Gaussian
from tests.guidance.conftest import COMPONENTS, SCHEDULES

TIMES = torch.tensor([0.02, 0.2, 0.5, 0.8, 0.97, 0.999], dtype=torch.float64)


def exact_classifier(oracle):
    """log p(k | x_t) of each sample's component."""

    def classifier(x, t, cond):
        rows = torch.arange(len(x))
        return oracle.log_posterior(x, t)[rows, torch.tensor(COMPONENTS)[: len(x)]]

    return classifier


def test_the_exact_classifier_makes_the_exact_conditional(oracle, states, cond):
    guided = polydiff.guidance("classifier", oracle, classifier=exact_classifier(oracle))
    for t, x_t in states:
        with torch.no_grad():
            torch.testing.assert_close(guided(x_t, t), oracle(x_t, t, cond), rtol=1e-9, atol=1e-9)
    ts = torch.stack([t for t, _ in states])[:4]
    x_t = torch.stack([x[i] for i, (_, x) in enumerate(states[:4])])
    torch.testing.assert_close(guided(x_t, ts), oracle(x_t, ts, cond), rtol=1e-9, atol=1e-9)


def test_larger_scales_are_cfg_by_the_exact_classifier(oracle, states, cond):
    guided = polydiff.guidance("classifier", oracle, classifier=exact_classifier(oracle), scale=4.0)
    cfg = polydiff.guidance("cfg", oracle, scale=4.0)
    for t, x_t in states:
        torch.testing.assert_close(guided(x_t, t), cfg(x_t, t, cond), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("oracle", ["cosine", "flow"], indirect=True)
@pytest.mark.parametrize("of", ["noisy", "clean"])
def test_where_there_is_no_data_nothing_is_guided(oracle, states, of):
    guided = polydiff.guidance("classifier", oracle, classifier=exact_classifier(oracle), of=of)
    one = torch.tensor(1.0, dtype=torch.float64)
    assert torch.equal(guided(states[-1][1], one), oracle(states[-1][1], one))


def test_a_classifier_of_clean_data_is_a_score(oracle, states):
    def log_p(x, t, cond):
        return oracle.log_posterior(x, 0.3)[:, 0]

    classifier = polydiff.guidance("classifier", oracle, classifier=log_p, of="clean", scale=0.7)
    energy = polydiff.guidance("energy", oracle, score=log_p, scale=0.7)
    for t, x_t in states:
        assert torch.equal(classifier(x_t, t), energy(x_t, t))


def gaussian(schedule, std):
    mean = torch.tensor([0.4, -1.0], dtype=torch.float64)
    return Gaussian(mean, torch.tensor(std, dtype=torch.float64), polydiff.schedule(schedule))


def gaussian_states():
    generator = torch.Generator().manual_seed(2)
    return [(t, 3 * torch.randn(5, 2, generator=generator, dtype=torch.float64)) for t in TIMES]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("through", "std"), [(True, [0.6, 1.7]), (False, [1.0, 1.0])])
def test_a_linear_score_moves_gaussian_data_exactly(schedule, through, std):
    """e^(w a x) times N(m, s^2) is N(m + w s^2 a, s^2)."""
    data = gaussian(schedule, std)
    a, w = torch.tensor([1.5, -0.5], dtype=torch.float64), 0.8
    tilted = Gaussian(data.mean + w * data.std**2 * a, data.std, data.schedule)
    guided = polydiff.guidance("energy", data, score=lambda x0, t, cond: x0 @ a, scale=w, through=through)
    for t, x_t in gaussian_states():
        torch.testing.assert_close(guided(x_t, t), tilted(x_t, t), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_measurement_of_gaussian_data_is_exact_with_its_uncertainty(schedule):
    """Data N(m, s^2), measured as y with variance r^2, are N((m/s^2 + y/r^2) p, p) with 1/p = 1/s^2 + 1/r^2."""
    data = gaussian(schedule, [0.6, 1.7])
    y, r2 = torch.tensor([2.0, 1.0], dtype=torch.float64), torch.tensor([0.25, 4.0], dtype=torch.float64)

    def score(x0, t, cond):
        alpha, sigma = data.schedule(t)
        uncertainty = sigma**2 * data.std**2 / (alpha**2 * data.std**2 + sigma**2)
        return -((x0 - y) ** 2 / (2 * (r2 + uncertainty))).sum(1)

    p = 1 / (1 / data.std**2 + 1 / r2)
    posterior = Gaussian((data.mean / data.std**2 + y / r2) * p, p.sqrt(), data.schedule)
    guided = polydiff.guidance("energy", data, score=score)
    for t, x_t in gaussian_states():
        torch.testing.assert_close(guided(x_t, t), posterior(x_t, t), rtol=1e-9, atol=1e-9)


def test_scores_of_a_condition_follow_it_through_nesting(oracle, states, cond):
    """cfg hands its doubled batch to what it guides; the score inside sees each half's own condition."""
    seen = []

    def score(x0, t, given):
        seen.append(None if given is None else given.vector.sum(1).tolist())
        return -(x0**2).sum(1)

    inner = polydiff.guidance("energy", oracle, score=score, scale=0.1)
    polydiff.guidance("cfg", inner, scale=2.0)(states[1][1], states[1][0], cond)
    assert seen == [[1.0] * 4 + [0.0] * 4]
