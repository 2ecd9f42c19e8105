"""What goes to a checkpoint and back."""

import torch
from torch import nn

from polydiff.training import checkpoint
from polydiff.training.balance import BANDS, Balance
from polydiff.training.ema import EMA
from polydiff.training.state import Progress, TrainState, tensors_of


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.into = nn.Linear(3, 3, bias=False)
        self.out = nn.Linear(3, 3)
        self.out.weight = self.into.weight


def state_of(seed):
    torch.manual_seed(seed)
    model = Tied()
    optimizer = torch.optim.AdamW(model.parameters())
    state = TrainState(model, EMA(model, 0.9), optimizer, torch.amp.GradScaler("cpu"), Balance(0.5, [seed / 7] * BANDS))
    for _ in range(seed):
        state.scaler.scale(model.out(model.into(torch.randn(2, 3))).square().sum()).backward()
        state.scaler.step(optimizer)
        state.scaler.update()
        state.ema.update()
        state.progress.step += 1
    return state


def test_tied_tensors_stand_once():
    assert list(tensors_of(Tied())) == ["into.weight", "out.bias"]


def test_everything_comes_back(tmp_path):
    state, other = state_of(3), state_of(1)
    state.progress.figures = {"loss": 0.1}
    checkpoint.write(tmp_path / "step-00000003", state.tensors(), state.counters(), "")
    other.load(tmp_path / "step-00000003")
    assert other.progress == state.progress
    assert other.balance == state.balance
    assert other.ema.updates == 3
    assert other.scaler.state_dict() == state.scaler.state_dict()
    for a, b in ((state.model, other.model), (state.ema.model, other.ema.model)):
        for x, y in zip(a.parameters(), b.parameters(), strict=True):
            assert torch.equal(x, y)
    a, b = state.optimizer.state_dict(), other.optimizer.state_dict()
    assert a["state"].keys() == b["state"].keys()
    for i in a["state"]:
        for key in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(a["state"][i][key], b["state"][i][key])


def test_a_balance_begins_anew_where_there_was_none_and_keeps_its_own_exponent(tmp_path):
    without, balanced = state_of(1), state_of(2)
    without.balance = None
    fresh, other = state_of(1), state_of(1)
    fresh.balance, other.balance = Balance(0.5), Balance(1.0)
    for i, (stored, loading) in enumerate([(without, fresh), (balanced, other)]):
        checkpoint.write(tmp_path / f"step-0000000{i}", stored.tensors(), stored.counters(), "")
        loading.load(tmp_path / f"step-0000000{i}")
    assert fresh.balance == Balance(0.5)
    assert other.balance == Balance(1.0, balanced.balance.losses)


def test_progress_knows_its_best_validation():
    progress = Progress(step=1)
    assert progress.note_validation({"loss": 2.0})
    progress.step = 2
    assert not progress.note_validation({"loss": 2.0})
    progress.step = 3
    assert not progress.note_validation({"loss": 3.0})
    assert (progress.best_step, progress.best, progress.stale, progress.validated) == (1, {"loss": 2.0}, 2, 3)
    progress.step = 4
    assert progress.note_validation({"loss": 1.0})
    assert (progress.best_step, progress.stale) == (4, 0)


def test_a_channels_last_model_goes_on_as_if_it_had_never_stopped(tmp_path):
    def state():
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return TrainState(model, EMA(model, 0.9), torch.optim.AdamW(model.parameters(), lr=0.01, fused=True), None)

    def step(state, seed):
        x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
        state.optimizer.zero_grad()
        state.model(x).square().sum().backward()
        state.optimizer.step()

    whole, stopped, resumed = state(), state(), state()
    step(stopped, 1)
    checkpoint.write(tmp_path / "step-00000001", stopped.tensors(), stopped.counters(), "")
    resumed.load(tmp_path / "step-00000001")
    step(resumed, 2)
    step(whole, 1)
    step(whole, 2)
    assert torch.equal(resumed.model.weight, whole.model.weight)
