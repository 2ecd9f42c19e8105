"""What every guidance has in common, each made from its registered name."""

import pytest
import torch
from torch import nn

import polydiff
from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.prediction import prediction
from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBlock, number_attentions
from polydiff.plugins.host import host
from polydiff.plugins.specs import GuidanceSpec
from tests.guidance.conftest import mixture

BY_CONDITION = ("cfg", "cfg++", "cfg-zero*", "apg", "composed")
ALL = (*BY_CONDITION, "autoguidance", "perturbed-attention", "classifier", "energy")


class Attentive(nn.Module):
    """A network of two positions that attend to each other and to nothing else; counts its calls."""

    def __init__(self):
        super().__init__()
        self.middle = AttentionBlock(8, 0, 4)
        nn.init.normal_(self.middle.attention.out.weight)
        self.label = nn.Linear(3, 8, bias=False)
        self.attention_layers = number_attentions(self)
        self.calls = 0

    def forward(self, x, log_snr, cond=None):
        self.calls += 1
        h = x[:, None, :] * torch.arange(1, 9).to(x)[:, None] + log_snr[:, None, None] / 20
        if cond is not None and cond.vector is not None:
            h = h + self.label(cond.vector)[..., None]
        return self.middle(h, perturbed=None if cond is None else cond.perturbed).mean(1)


def attentive(schedule):
    torch.manual_seed(0)
    return NetworkDenoiser(Attentive().double(), schedule, prediction("v"))


def closeness(x, t, cond):
    return -(x**2).sum(1)


def made(name, oracle, **options):
    """Give what is guided, and the guidance."""
    needed = {"autoguidance": {"weaker": mixture("flow", 2)}, "classifier": {"classifier": closeness}}
    needed["energy"] = {"score": closeness}
    if name == "autoguidance":
        needed[name]["weaker"].schedule = oracle.schedule
    plain = attentive(oracle.schedule) if name == "perturbed-attention" else oracle
    return plain, polydiff.guidance(name, plain, **{"scale": 3.0, **needed.get(name, {}), **options})


def test_all_are_covered():
    assert {entry.spec.name for entry in host().all(GuidanceSpec) if ":" in entry.spec.target} >= set(ALL)
    engine = {e.spec.name for e in host().all(GuidanceSpec) if e.spec.target.startswith("polydiff.")}
    by_pair = {"pair"}  # tried where pairs are trained: tests/training/test_pair_training.py
    assert engine == {*ALL} | by_pair


@pytest.mark.parametrize("name", ALL)
def test_neutral_options_are_bitwise_the_plain_estimate(oracle, states, cond, name):
    plain, guided = made(name, oracle, **host().find(GuidanceSpec, name).neutral)
    for t, x_t in states:
        for given in (cond, None):
            expected = plain(x_t, t, given)
            before = oracle.rows
            assert torch.equal(guided(x_t, t, given), expected)
            assert oracle.rows - before in {0, 4}  # nothing more is evaluated


@pytest.mark.parametrize("name", ALL)
def test_otherwise_it_guides(oracle, states, cond, name):
    plain, guided = made(name, oracle)
    t, x_t = states[2]
    with torch.no_grad():
        assert (guided(x_t, t, cond) - plain(x_t, t, cond)).abs().max() > 1e-3


@pytest.mark.parametrize("name", BY_CONDITION)
def test_without_a_condition_nothing_guides(oracle, states, cond, name):
    _, guided = made(name, oracle)
    for t, x_t in states:
        assert torch.equal(guided(x_t, t), oracle(x_t, t))
        torch.testing.assert_close(guided(x_t, t, cond.null()), oracle(x_t, t), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "options"), [("cfg", {}), ("cfg++", {}), ("apg", {"eta": 1.0})])
def test_scale_zero_is_unconditional(oracle, states, cond, name, options):
    _, guided = made(name, oracle, scale=0.0, **options)
    for t, x_t in states:
        torch.testing.assert_close(guided(x_t, t, cond), oracle(x_t, t), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_only_the_interval_is_guided_sample_by_sample(oracle, states, cond, name):
    plain, guided = made(name, oracle, interval=(0.2, 0.7))
    _, everywhere = made(name, oracle)
    if name == "perturbed-attention":
        guided.denoiser = everywhere.denoiser = plain
    t = torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=torch.float64)
    x_t = states[2][1]
    with torch.no_grad():
        expected, always = plain(x_t, t, cond), everywhere(x_t, t, cond)
        got = guided(x_t, t, cond)
    expected[1:3] = always[1:3]
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    one_by_one = [everywhere(x_t[i : i + 1], t[i], cond[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(always, torch.cat(one_by_one).detach(), rtol=1e-9, atol=1e-9)
    outside = torch.tensor(0.1, dtype=torch.float64)
    assert torch.equal(guided(x_t, outside, cond), plain(x_t, outside, cond))


@pytest.mark.parametrize("name", BY_CONDITION)
def test_both_estimates_take_one_call(oracle, states, cond, name):
    _, guided = made(name, oracle)
    t, x_t = states[1]
    guided(x_t, t, cond)
    assert (oracle.calls, oracle.rows) == (1, 8)


def test_the_perturbed_estimate_takes_one_call(oracle, states, cond):
    plain, guided = made("perturbed-attention", oracle)
    guided(states[1][1], states[1][0], cond)
    assert plain.backbone.calls == 1


@pytest.mark.parametrize("name", ["classifier", "energy"])
def test_gradients_take_one_call_under_a_samplers_no_grad(oracle, states, name):
    _, guided = made(name, oracle)
    t, x_t = states[1]
    with torch.no_grad():
        x0 = guided(x_t, t)
    assert oracle.calls == 1
    assert not x0.requires_grad
    assert not x_t.requires_grad


@pytest.mark.parametrize("name", ALL)
def test_it_goes_with_a_sampler(oracle, noise, cond, name):
    _, guided = made(name, oracle, scale=1.5)
    x = polydiff.sampler("dpm++2m").sample(guided, noise, steps=8, cond=cond)
    again = polydiff.sampler("dpm++2m").sample(guided, noise, steps=8, cond=cond)
    assert x.isfinite().all()
    assert not x.requires_grad
    assert torch.equal(x, again)  # nothing is left of the first walk


@pytest.mark.parametrize("name", [n for n in ALL if n not in BY_CONDITION])
def test_what_needs_no_condition_guides_without(oracle, noise, name):
    plain, guided = made(name, oracle, scale=1.5)
    walk = polydiff.sampler("ddim").sample
    assert (walk(guided, noise, steps=4) - walk(plain, noise, steps=4)).abs().max() > 1e-3


def test_the_inner_one_goes_first(oracle, states, cond):
    t, x_t = states[2]
    weaker = mixture("flow", 2)
    weaker.schedule = oracle.schedule
    inner = polydiff.guidance("autoguidance", oracle, weaker=weaker, scale=2.0)
    outer = polydiff.guidance("cfg", inner, scale=3.0)

    def auto(given):
        return weaker(x_t, t, given) + 2 * (oracle(x_t, t, given) - weaker(x_t, t, given))

    torch.testing.assert_close(outer(x_t, t, cond), auto(None) + 3 * (auto(cond) - auto(None)))
    score = polydiff.guidance("energy", outer, score=closeness, scale=0.1, through=False)
    alpha, sigma = oracle.schedule(t)
    x0 = outer(x_t, t, cond)
    torch.testing.assert_close(score(x_t, t, cond), x0 - 0.2 * sigma**2 / (alpha**2 + sigma**2) * x0)


def test_a_chain_goes_along(oracle, noise, cond):
    """What depends on the step does so inside and outside of others."""
    walk = polydiff.sampler("ddim").sample
    cfgpp = polydiff.guidance("cfg++", oracle, scale=0.6)
    expected = walk(cfgpp, noise, steps=6, cond=cond)
    score = polydiff.guidance("energy", cfgpp, score=closeness, scale=0.0)
    torch.testing.assert_close(walk(score, noise, steps=6, cond=cond), expected)
    weaker = polydiff.guidance("autoguidance", oracle, weaker=cfgpp, scale=0.0)
    torch.testing.assert_close(walk(weaker, noise, steps=6, cond=cond), expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cfg", {"scale": float("inf")}, "guidance 'cfg' needs a finite scale"),
        ("cfg++", {"interval": (0.7, 0.2)}, "guidance 'cfg\\+\\+' needs an interval"),
        ("apg", {"threshold": 0.0}, "threshold above 0"),
        ("apg", {"momentum": 1.0}, "momentum between -1 and 1"),
        ("cfg-zero*", {"zero_steps": -1}, "zero_steps"),
        ("perturbed-attention", {"layers": ("mid",)}, "unknown attention layer 'mid'; did you mean 'middle'"),
        ("autoguidance", {"weaker": mixture("sigmoid")}, "the schedule of the one that it guides"),
    ],
)
def test_senseless_options_are_refused(oracle, name, options, message):
    with pytest.raises(UsageError, match=message):
        made(name, oracle, **options)


def test_a_network_without_attention_cannot_be_perturbed(oracle):
    with pytest.raises(UsageError, match="needs a network with self-attention"):
        polydiff.guidance("perturbed-attention", oracle, scale=2.0)
