"""Runs from beginning to end."""

import json
import math
import os
import re
import signal

import pytest
import torch
from safetensors.torch import load_file

import polydiff
from polydiff.errors import DataError, ModelError, PolydiffError, RecipeError, UsageError
from polydiff.training import checkpoint, strategies
from polydiff.training.balance import Balance
from polydiff.training.step import Stepper

TIMINGS = {"seconds", "samples_per_s"}


def metrics_of(run):
    lines = map(json.loads, (run.folder / "metrics.jsonl").read_text().splitlines())
    return [{key: value for key, value in line.items() if key not in TIMINGS} for line in lines]


def tensors_in(checkpoint):
    return {path.name: load_file(path) for path in checkpoint.glob("*.safetensors")}


def assert_same_tensors(a, b):
    assert a.keys() == b.keys()
    for file in a:
        assert a[file].keys() == b[file].keys()
        for name in a[file]:
            assert torch.equal(a[file][name], b[file][name]), (file, name)


def assert_same_run(a, b):
    """Weights, their average, moments, counters, the scaler and every number told, all bit for bit."""
    (last,) = {max(checkpoint.steps(run.checkpoints)) for run in (a, b)}
    a_last, b_last = (checkpoint.path_of(run.checkpoints, last) for run in (a, b))
    assert_same_tensors(tensors_in(a_last), tensors_in(b_last))
    assert_same_tensors(tensors_in(a.model), tensors_in(b.model))
    assert metrics_of(a) == metrics_of(b)
    states = [checkpoint.read_state(path) for path in (a_last, b_last)]
    for state in states:
        del state["progress"]["seconds"]
    assert states[0] == states[1]


@pytest.mark.parametrize(
    ("stop_at", "changes"),
    [
        (5, ()),
        (8, ("train.accumulate=2", "train.precision=bf16-mixed", "objective.balance=0.5")),
        (7, ("data.workers=1",)),
        (6, ("backbone.repeated=2", "train.optimizer.muon=0.02")),
    ],
)
def test_resumed_run_equals_the_uninterrupted_one_bit_for_bit(train_toy, stop_at, changes):
    whole, outcome = train_toy("whole", *changes)
    assert outcome.reason == "finished"
    stopped, outcome = train_toy("stopped", *changes, stop_at=stop_at)
    assert (outcome.reason, outcome.progress.step) == ("interrupted", stop_at)
    assert not stopped.model.exists()
    _, outcome = train_toy("stopped", *changes, resume=True)
    assert (outcome.reason, outcome.progress.step) == ("finished", 12)
    assert_same_run(whole, stopped)


@pytest.fixture
def dropping(toy, monkeypatch):
    """Give the toy network dropout."""
    forward = toy.ToyNet.forward
    monkeypatch.setattr(
        toy.ToyNet, "forward", lambda self, x, *rest: forward(self, torch.dropout(x, 0.2, self.training), *rest)
    )


def test_everything_at_once_is_resumed_bit_for_bit(train_toy, dropping, monkeypatch):
    """Dropout, augmentation, dropped conditions, workers that read ahead; stopped in an epoch and in a step's parts."""
    changes = (
        "data={source: levels, holdout: 0.25, workers: 2, augment: [{name: shake, std: 0.1}]}",
        "conditions.label.dropout=0.3", "train.accumulate=4", "train.checkpoint.every=100",
    )  # fmt: skip
    whole, _ = train_toy("whole", *changes)
    backward, calls = Stepper._backward, []

    def terminated(self, batch, parts_left):
        calls.append(parts_left)
        if len(calls) == 4 * 6 + 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return backward(self, batch, parts_left)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "_backward", terminated)
        stopped, outcome = train_toy("stopped", *changes)
    assert (outcome.reason, outcome.progress.step) == ("interrupted", 7)
    train_toy("stopped", *changes, resume=True)
    assert_same_run(whole, stopped)


ADVERSARIAL = "objective.reconstruction=[l2, {name: adversarial, weight: 0.1, width: 4, layers: 1}]"


@pytest.mark.parametrize(
    "changes", [(), (ADVERSARIAL, "train.accumulate=2", "train.precision=bf16-mixed", "data.workers=1")]
)
def test_a_codec_is_resumed_bit_for_bit(train_codec, changes):
    whole, outcome = train_codec("whole", *changes)
    assert outcome.reason == "finished"
    stopped, outcome = train_codec("stopped", *changes, stop_at=7)
    assert (outcome.reason, outcome.progress.step) == ("interrupted", 7)
    train_codec("stopped", *changes, resume=True)
    assert_same_run(whole, stopped)


def test_early_stopping_is_resumed_bit_for_bit(train_toy):
    changes = ("train.steps=200", "train.validation={every: 2, samples: 16, bands: 4, patience: 3}",
               "train.optimizer={lr: 3.0, warmup: 0, decay: constant}", "train.ema.decay=0.0")  # fmt: skip
    whole, outcome = train_toy("whole", *changes)
    assert outcome.reason == "patience"
    _, stopped_at = train_toy("stopped", *changes, stop_at=outcome.progress.step - 3)
    assert stopped_at.progress.stale > 0
    stopped, _ = train_toy("stopped", *changes, resume=True)
    assert_same_run(whole, stopped)


def test_gradient_scaler_is_resumed_bit_for_bit(train_toy, monkeypatch):
    """On the CPU, where 16-mixed is not offered, by a scaler that starts too high and grows every 3 steps."""

    def scaling():
        return strategies._Autocast(
            "16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=2.0**18, growth_interval=3)
        )

    monkeypatch.setattr(strategies, "Precision", scaling)
    whole, _ = train_toy("whole")
    train_toy("stopped", stop_at=7)
    stopped, _ = train_toy("stopped", resume=True)
    assert_same_run(whole, stopped)
    scaler = checkpoint.read_state(whole.checkpoints / "step-00000012")["scaler"]
    assert scaler["scale"] not in {0.0, 2.0**18}
    assert scaler["_growth_tracker"] > 0


def test_run_folder_holds_what_the_design_says(train_toy):
    run, _ = train_toy("run")
    assert {path.name for path in run.folder.iterdir()} == {
        "recipe.yaml",
        "environment.json",
        "metrics.jsonl",
        "previews",
        "checkpoints",
        "model",
    }
    assert sorted(path.name for path in (run.folder / "previews").iterdir()) == [
        "step-00000000.png",
        "step-00000006.png",
        "step-00000012.png",
    ]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["step-00000008", "step-00000012"]
    assert [(line["kind"], line["step"]) for line in metrics_of(run)] == [
        ("validation", 4),
        ("validation", 8),
        ("train", 10),
        ("train", 12),
        ("validation", 12),
    ]


def test_model_is_the_average_and_previews_carry_the_classes(train_toy):
    run, _ = train_toy("run")
    model = polydiff.load(run.folder)
    average = load_file(run.checkpoints / "step-00000012" / "ema.safetensors")
    assert_same_tensors({"": dict(model.state_dict())}, {"": average})
    raw = load_file(run.checkpoints / "step-00000012" / "model.safetensors")
    assert not torch.equal(raw["denoiser.backbone.out.weight"], average["denoiser.backbone.out.weight"])
    _, captions = json.loads((run.folder / "previews" / "step-00000012.png").read_text())
    assert captions == ["0", "1"]


def test_training_learns(train_toy):
    run, outcome = train_toy("run", "train.steps=100", "train.validation.every=10", "train.ema.decay=0.9")
    losses = [line["loss"] for line in metrics_of(run) if line["kind"] == "validation"]
    assert losses[-1] < 0.5 * losses[0]
    assert outcome.progress.figures["loss"] == losses[-1]


def test_accumulation_changes_nothing_but_rounding(train_toy):
    whole, _ = train_toy("whole")
    parts, _ = train_toy("parts", "train.accumulate=4")
    a, b = tensors_in(whole.model)["weights.safetensors"], tensors_in(parts.model)["weights.safetensors"]
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=2e-5, rtol=0)
    for x, y in zip(metrics_of(whole), metrics_of(parts), strict=True):
        assert x["loss"] == pytest.approx(y["loss"], abs=1e-5)


def test_best_model_is_kept_and_exported_where_the_recipe_says_so(train_toy):
    run, outcome = train_toy(
        "run", "train.steps=20", "train.validation={every: 2, samples: 16, bands: 4}",
        "train.optimizer={lr: 1.0, warmup: 0, decay: constant}", "train.ema.decay=0.0",
        "train.checkpoint={every: 3, keep: 1, best: true}",
    )  # fmt: skip
    progress = outcome.progress
    assert outcome.reason == "finished"
    assert progress.best_step < 20
    assert checkpoint.steps(run.checkpoints) == [progress.best_step, 20]
    best = load_file(checkpoint.path_of(run.checkpoints, progress.best_step) / "ema.safetensors")
    assert_same_tensors({"": dict(polydiff.load(run.folder).state_dict())}, {"": best})


def test_early_stop_restores_the_best_model(train_toy):
    run, outcome = train_toy(
        "run", "train.steps=200", "train.validation={every: 2, samples: 16, bands: 4, patience: 3}",
        "train.optimizer={lr: 3.0, warmup: 0, decay: constant}", "train.ema.decay=0.0", "train.checkpoint.keep=1",
    )  # fmt: skip
    progress = outcome.progress
    assert outcome.reason == "patience"
    assert progress.step == progress.best_step + 3 * 2
    best = f"step-{progress.best_step:08d}"
    assert_same_tensors(
        {"": dict(polydiff.load(run.folder).state_dict())}, {"": load_file(run.checkpoints / best / "ema.safetensors")}
    )
    losses = {line["step"]: line["loss"] for line in metrics_of(run) if line["kind"] == "validation"}
    assert min(losses, key=losses.get) == progress.best_step
    assert f"{progress.best['loss']:.4g}" in (run.model / "README.md").read_text()


def test_unconditional_model_trains(train_toy):
    run, outcome = train_toy("run", "conditions={}")
    assert outcome.reason == "finished"
    assert len(polydiff.load(run.folder).conditioners) == 0
    _, captions = json.loads((run.folder / "previews" / "step-00000012.png").read_text())
    assert captions == ["", ""]


def test_numbers_as_conditions_train_and_caption_previews(train_toy):
    run, outcome = train_toy("run", "conditions={level: {name: vector, size: 1}}")
    assert outcome.reason == "finished"
    _, captions = json.loads((run.folder / "previews" / "step-00000012.png").read_text())
    assert len(captions) == 2
    assert all(captions)


def test_patience_needs_held_out_data(train_toy):
    with pytest.raises(RecipeError, match=r"patience.*data\.holdout"):
        train_toy("run", "data.holdout=0", "train.validation.patience=2")


def test_run_without_held_out_data_ends_without_figures(train_toy):
    run, outcome = train_toy("run", "data.holdout=0")
    assert outcome.progress.figures == {}
    assert {line["kind"] for line in metrics_of(run)} == {"train"}
    assert polydiff.load(run.folder).config.modality == "toy"


def test_time_limit_ends_an_annealed_run(train_toy):
    run, outcome = train_toy("run", "train.steps=1000000", "train.max_minutes=0.08", "train.validation.every=1000000",
                             "train.preview.every=1000000", "train.checkpoint.every=1000000")  # fmt: skip
    assert outcome.reason == "time"
    rates = [line["lr"] for line in metrics_of(run) if line["kind"] == "train"]
    assert rates[0] > 0.9e-2
    assert rates[-1] < 0.02e-2
    assert polydiff.load(run.folder)


def test_time_limit_that_is_not_reached_changes_nothing(train_toy):
    free, _ = train_toy("free")
    limited, outcome = train_toy("limited", "train.max_minutes=1000")
    assert outcome.reason == "finished"
    assert_same_tensors(tensors_in(free.model), tensors_in(limited.model))


BAD = ("data.source={name: levels, bad: [7]}", "data.holdout=0", "train.preview.every=100")


def test_loss_that_is_not_finite_leaves_the_step_out_and_names_it(train_toy, caplog):
    run, outcome = train_toy("run", *BAD, "train.max_bad_steps=2")
    assert outcome.reason == "finished"
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == outcome.progress.skipped == metrics_of(run)[-1]["skipped"] > 1
    assert all(
        re.fullmatch(r"step \d+: the loss of item-7 is not finite; the step is left out", line) for line in lines
    )
    weights = tensors_in(run.model)["weights.safetensors"]
    assert all(each.isfinite().all() for each in weights.values())
    state = json.loads((run.checkpoints / "step-00000012" / "state.json").read_text())
    assert state["ema_updates"] == 12 - len(lines)


def test_steps_left_out_are_resumed_bit_for_bit(train_toy):
    whole, outcome = train_toy("whole", *BAD)
    assert outcome.progress.skipped > 1
    train_toy("stopped", *BAD, stop_at=9)
    stopped, _ = train_toy("stopped", *BAD, resume=True)
    assert_same_run(whole, stopped)


def test_too_many_steps_in_a_row_that_are_not_finite_end_the_run_with_the_items(train_toy, caplog):
    every = "data.source={name: levels, bad: [" + ", ".join(map(str, range(40))) + "]}"
    with pytest.raises(
        PolydiffError, match=r"^step 3: the loss of item-\d+, .*3 more is not finite, in 3 steps in a row"
    ):
        train_toy("run", every, "data.holdout=0", "train.max_bad_steps=3")
    assert len(caplog.records) == 2


def test_gradient_that_is_not_finite_leaves_the_step_out_and_names_the_batch(train_toy, toy, monkeypatch, caplog):
    calls = []

    def spoil(gradient):
        calls.append(None)
        return gradient * math.inf if len(calls) == 5 else gradient

    forward = toy.ToyNet.forward

    def spoilt(self, *args):
        out = forward(self, *args)
        if self.training:
            out.register_hook(spoil)
        return out

    monkeypatch.setattr(toy.ToyNet, "forward", spoilt)
    _, outcome = train_toy("run", "train.batch=4")
    assert outcome.progress.skipped == 1
    (line,) = (record.getMessage() for record in caplog.records)
    assert re.fullmatch(r"step 5: the gradient of item-\d+, item-\d+, item-\d+, item-\d+ is not finite; .*", line)


def test_validation_loss_that_is_not_finite_names_the_item(train_toy):
    changes = ("data.source={name: levels, count: 8}", "data.validation={name: levels, count: 8, bad: [2]}")
    with pytest.raises(PolydiffError, match=r"^validation: the loss of item-2 is not finite$"):
        train_toy("run", *changes)


def test_unreadable_items_are_named_and_left_out(train_toy, caplog):
    _, outcome = train_toy("run", "data.source={name: levels, broken: [3]}", "data.holdout=0")
    assert outcome.reason == "finished"
    assert [record.getMessage() for record in caplog.records] == ["left out: item-3: cannot be read"]


def test_unreadable_item_stops_the_run_where_the_recipe_says_so(train_toy):
    changes = ("data.source={name: levels, broken: [3]}", "data.holdout=0", "data.on_error=stop")
    with pytest.raises(DataError, match="item-3: cannot be read"):
        train_toy("run", *changes)


def test_checkpoint_of_another_model_is_not_resumed(train_toy):
    train_toy("run", stop_at=5)
    with pytest.raises(ModelError, match="of another model"):
        train_toy("run", "backbone.width=16", resume=True)


def test_there_must_be_something_to_resume(train_toy):
    with pytest.raises(UsageError, match="no checkpoint to resume from"):
        train_toy("run", resume=True)


def test_finished_run_goes_on_for_more_steps(train_toy):
    train_toy("run")
    run, outcome = train_toy("run", "train.steps=16", resume=True)
    assert (outcome.reason, outcome.progress.step) == ("finished", 16)
    assert [line["step"] for line in metrics_of(run) if line["kind"] == "validation"] == [4, 8, 12, 16]
    assert len(json.loads((run.folder / "environment.json").read_text())) == 2


def test_observers_hear_everything_in_order(train_toy):
    heard = []

    class Observer:
        @polydiff.hookimpl
        def polydiff_run_start(self, run):
            heard.append("start")

        @polydiff.hookimpl
        def polydiff_step_end(self, run, step, metrics):
            assert metrics.keys() == {"loss", "lr", "grad_norm", *TIMINGS}
            assert all(map(math.isfinite, metrics.values()))
            heard.append(step)

        @polydiff.hookimpl
        def polydiff_validation_end(self, run, step, report):
            heard.append(f"validation {step} {len(report.bands)}")

        @polydiff.hookimpl
        def polydiff_preview(self, run, step, path):
            assert path.is_file()
            heard.append(f"preview {step}")

        @polydiff.hookimpl
        def polydiff_checkpoint_saved(self, run, step, path):
            assert (path / "manifest.json").is_file()
            heard.append(f"checkpoint {step}")

        @polydiff.hookimpl
        def polydiff_run_end(self, run, reason):
            heard.append(reason)

    train_toy("run", "train.steps=4", observer=Observer())
    assert heard == ["start", "preview 0", 1, 2, 3, 4, "validation 4 4", "checkpoint 4", "preview 4", "finished"]


def test_tensorboard_gets_the_same_numbers(train_toy):
    run, _ = train_toy("run", "train.loggers=[tensorboard]")
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = event_accumulator.EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    told = {event.step: event.value for event in events.Scalars("validation/loss")}
    written = {line["step"]: line["loss"] for line in metrics_of(run) if line["kind"] == "validation"}
    assert told == pytest.approx(written)


def test_mixed_precision_keeps_times_and_noise_exact(train_toy, monkeypatch):
    from polydiff.training.objective import Objective

    seen = set()
    losses = Objective.losses

    def spy(self, denoiser, x0, t, eps, cond=None, mask=None):
        result = losses(self, denoiser, x0, t, eps, cond, mask)
        seen.add((x0.dtype, t.dtype, eps.dtype, result.dtype, torch.is_autocast_enabled("cpu")))
        return result

    monkeypatch.setattr(Objective, "losses", spy)
    train_toy("run", "train.precision=bf16-mixed")
    assert seen == {(torch.float32, torch.float64, torch.float32, torch.float32, True)}


def test_gradients_are_those_of_balanced_losses(train_toy, monkeypatch):
    def norms(name, weight):
        monkeypatch.setattr(Balance, "weights", lambda self, u: torch.full_like(u, weight))
        run, _ = train_toy(name, "objective.balance=1", "train.steps=1", "train.clip=null", "train.accumulate=2")
        return [line["grad_norm"] for line in metrics_of(run) if "grad_norm" in line]

    (plain,), (threefold,) = norms("plain", 1.0), norms("threefold", 3.0)
    assert threefold == pytest.approx(3 * plain, rel=1e-5)
    assert plain > 1e-3
