"""Where numbers go besides metrics.jsonl."""

import csv
import json
import sys

import pytest

from polydiff.errors import PolydiffError
from polydiff.training.loggers import CSVLogger


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_csv_has_a_table_for_each_kind_that_resumed_runs_extend(train_toy):
    train_toy("run", "train.loggers=[csv]", stop_at=10)
    run, _ = train_toy("run", "train.loggers=[csv]", resume=True)
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    for kind in ("train", "validation"):
        written = [line for line in lines if line["kind"] == kind]
        table = rows(run.folder / "csv" / f"{kind}.csv")
        assert [int(row["step"]) for row in table] == [line["step"] for line in written]
        assert [float(row["loss"]) for row in table] == [line["loss"] for line in written]


def test_csv_keeps_its_columns(tmp_path):
    CSVLogger(tmp_path).log_metrics({"train/loss": 1.0, "train/lr": 0.1}, 10)
    CSVLogger(tmp_path).log_metrics({"train/lr": 0.2, "train/other": 5.0}, 20)
    assert rows(tmp_path / "csv" / "train.csv") == [
        {"step": "10", "loss": "1.0", "lr": "0.1"},
        {"step": "20", "loss": "", "lr": "0.2"},
    ]


@pytest.mark.parametrize("name", ["wandb", "mlflow", "tensorboard"])
def test_missing_package_is_one_line_with_the_command(train_toy, monkeypatch, name):
    monkeypatch.setattr("lightning_fabric.loggers.tensorboard._TENSORBOARD_AVAILABLE", False)
    monkeypatch.setattr("lightning_fabric.loggers.tensorboard._TENSORBOARDX_AVAILABLE", False)
    for module in (name, f"torch.utils.{name}"):
        monkeypatch.setitem(sys.modules, module, None)
    said = rf"^train\.loggers: {name} is not installed; pip install 'polydiff\[{name}\]'$"
    with pytest.raises(PolydiffError, match=said):
        train_toy("run", f"train.loggers=[{name}]")


class Wandb:
    """What is used of wandb, written down."""

    def __init__(self):
        self.inits, self.config, self.logged, self.finished = [], {}, [], 0

    def init(self, **options):
        self.inits.append(options)
        return self

    def log(self, numbers):
        self.logged.append(numbers)

    def finish(self):
        self.finished += 1


class Config(dict):
    def update(self, values, allow_val_change):
        super().update(values)


def test_wandb_hears_the_same_numbers_as_one_run(train_toy, monkeypatch):
    wandb = Wandb()
    wandb.config = Config()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    train_toy("run", "train.loggers=[wandb]", stop_at=5)
    run, _ = train_toy("run", "train.loggers=[wandb]", resume=True)
    known = (run.folder / "wandb.id").read_text()
    assert [(each["id"], each["resume"], each["name"]) for each in wandb.inits] == [(known, "allow", "run")] * 2
    assert wandb.config["train"]["steps"] == 12
    assert wandb.finished == 2
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    told = [(each["step"], each[f"{kind}/loss"]) for each in wandb.logged for kind in ("train", "validation")
            if f"{kind}/loss" in each]  # fmt: skip
    assert told == [(line["step"], line["loss"]) for line in lines]


def test_wandb_itself_takes_it_offline(train_toy, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run, _ = train_toy("run", "train.loggers=[wandb]")
    assert list((run.folder / "wandb").glob("offline-run-*/*.wandb"))


def test_mlflow_itself_keeps_one_run_over_all_sittings(train_toy, monkeypatch, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    train_toy("run", "train.loggers=[mlflow]", stop_at=5)
    run, _ = train_toy("run", "train.loggers=[mlflow]", resume=True)
    history = mlflow.MlflowClient().get_metric_history((run.folder / "mlflow.id").read_text(), "validation/loss")
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [(each.step, each.value) for each in history] == [
        (line["step"], line["loss"]) for line in lines if line["kind"] == "validation"
    ]
