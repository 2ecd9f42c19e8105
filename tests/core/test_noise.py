"""Counter-based noise: the published generator, the right distribution, and independence of batching."""

import pytest
import torch

from polydiff.core.noise import PRIOR, STEP, Seeds, philox


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, words):
    assert tuple(int(w) for w in philox([torch.tensor([c]) for c in counter], key)) == words


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_noise_is_bit_identical_for_any_batch_size(batch):
    def draw(indices):
        return Seeds(5, indices).normal((3, 5, 7), stream=STEP, step=2)

    whole = draw(range(64))
    parts = [draw(torch.arange(i, min(i + batch, 64))) for i in range(0, 64, batch)]
    assert torch.equal(torch.cat(parts), whole)


def test_a_slice_is_the_same_samples():
    seeds = Seeds(1, range(10))
    assert len(seeds[3:6]) == 3
    assert torch.equal(seeds[3:6].normal((4,), stream=PRIOR), seeds.normal((4,), stream=PRIOR)[3:6])


def test_seed_index_step_and_stream_each_give_other_noise():
    base = Seeds(0, [0]).normal((64,), stream=PRIOR)
    others = [
        Seeds(1, [0]).normal((64,), stream=PRIOR),
        Seeds(1 << 32, [0]).normal((64,), stream=PRIOR),
        Seeds(0, [1]).normal((64,), stream=PRIOR),
        Seeds(0, [1 << 32]).normal((64,), stream=PRIOR),
        Seeds(0, [0]).normal((64,), stream=STEP),
        Seeds(0, [0]).normal((64,), stream=PRIOR, step=1),
    ]
    draws = torch.cat([base, *others])
    assert (draws.corrcoef() - torch.eye(len(draws))).abs().max() < 0.5
    assert len({tuple(d.tolist()) for d in draws}) == len(draws)


def test_noise_is_standard_normal():
    x = Seeds(7, range(1000)).normal((1000,), stream=PRIOR, dtype=torch.float64).flatten()
    assert x.mean().abs() < 5e-3
    assert (x.var() - 1).abs() < 5e-3
    assert ((x**4).mean() - 3).abs() < 0.03
    quantiles = torch.tensor([-2.0, -1, 0, 1, 2], dtype=torch.float64)
    below = (x[:, None] < quantiles).double().mean(0)
    torch.testing.assert_close(below, torch.special.ndtr(quantiles), atol=2e-3, rtol=0)


def test_uniform_fills_the_open_interval_evenly():
    u = Seeds(7, range(1000)).uniform((101,), stream=PRIOR).flatten()
    assert u.dtype == torch.float64
    assert 0 < u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1
    torch.testing.assert_close(torch.histc(u, 10, 0, 1) / len(u), torch.full((10,), 0.1).double(), atol=5e-3, rtol=0)
