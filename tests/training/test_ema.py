"""The moving average."""

import torch
from torch import nn

from polydiff.training.ema import EMA


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))
        self.register_buffer("seen", torch.tensor(0))


def test_average_follows_its_recurrence_with_warm_up():
    source = Counter()
    ema = EMA(source, decay=0.3)
    expected = 0.0
    for n in range(8):
        with torch.no_grad():
            source.weight.fill_(n + 1.0)
        ema.update()
        decay = min(0.3, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * (n + 1.0)
        torch.testing.assert_close(ema.model.weight, torch.full((2,), expected, dtype=torch.float64))
    assert ema.updates == 8


def test_buffers_are_copied():
    source = Counter()
    ema = EMA(source, decay=0.999)
    source.seen += 7
    ema.update()
    assert ema.model.seen == 7


def test_average_is_a_model_of_its_own_that_is_not_trained():
    source = Counter()
    ema = EMA(source, decay=0.9)
    with torch.no_grad():
        source.weight.fill_(5.0)
    assert torch.equal(ema.model.weight, torch.zeros(2, dtype=torch.float64))
    assert not ema.model.training
    assert not ema.model.weight.requires_grad


def test_average_of_a_model_that_stands_still_is_that_model():
    source = nn.Linear(3, 3)
    ema = EMA(source, decay=0.5)
    for _ in range(5):
        ema.update()
    assert torch.equal(ema.model.weight, source.weight)
