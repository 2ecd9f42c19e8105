"""Where the numbers of a run go besides metrics.jsonl: a logger of Fabric's interface for each of `train.loggers`."""

from __future__ import annotations

import csv
import importlib
import time
import uuid
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lightning_fabric.loggers.logger import Logger
from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from polydiff import files
from polydiff.errors import PolydiffError
from polydiff.recipe.schema import AnyRecipe

PROJECT = "polydiff"
"""What runs are filed under where a service asks for a project or an experiment."""


def logger(name: str, folder: Path, recipe: AnyRecipe) -> Logger:
    """Make one of `LOGGERS`, of the run in `folder`; a resumed run goes on with what is there.

    Raises
    ------
    PolydiffError
        When its package is not installed.
    """
    try:
        made = LOGGERS[name](folder)
    except ModuleNotFoundError as error:
        raise PolydiffError(f"train.loggers: {name} is not installed; pip install 'polydiff[{name}]'") from error
    if isinstance(made, _RunLogger):  # TensorBoard's would invent a metric to show them with
        made.log_hyperparams(recipe.model_dump())
    return made


class _RunLogger(Logger):
    """A logger of one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Keep nothing: the recipe lies in the run folder."""


class CSVLogger(_RunLogger):
    """One table for each kind of line, `csv/train.csv` and `csv/validation.csv`, which only grow."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a row; the columns are those of the table's first row, and a number that is absent is left empty."""
        kind = next(iter(metrics)).partition("/")[0]
        row = {"step": step, **{name.partition("/")[2]: value for name, value in metrics.items()}}
        path = self.folder / "csv" / f"{kind}.csv"
        try:
            path.parent.mkdir(exist_ok=True)
            columns = _columns(path) or list(row)
            with path.open("a", encoding="utf-8", newline="") as file:
                table = csv.DictWriter(file, columns, extrasaction="ignore")
                if not file.tell():
                    table.writeheader()
                table.writerow(row)
        except OSError as error:
            raise files.cannot_write(path, error) from error


def _columns(path: Path) -> list[str]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])


class WandbLogger(_RunLogger):
    """Weights & Biases; WANDB_MODE=offline writes to `wandb/` in the run folder alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        wandb = importlib.import_module("wandb")
        self._run = wandb.init(
            project=PROJECT,
            name=folder.name,
            dir=str(folder),
            id=_kept_id(folder / "wandb.id", lambda: uuid.uuid4().hex),
            resume="allow",
        )

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Send the recipe."""
        self._run.config.update(params, allow_val_change=True)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Send numbers."""
        self._run.log({**metrics, "step": step})

    def finalize(self, status: str) -> None:
        """Send what is left."""
        self._run.finish()


class MLflowLogger(_RunLogger):
    """MLflow; MLFLOW_TRACKING_URI says where, by default a database in the current folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._mlflow: ModuleType = importlib.import_module("mlflow")
        self._client = self._mlflow.MlflowClient()
        self._id = _kept_id(folder / "mlflow.id", self._new_run)

    def _new_run(self) -> str:
        experiment = self._mlflow.set_experiment(PROJECT)
        run: str = self._client.create_run(experiment.experiment_id, run_name=self.folder.name).info.run_id
        return run

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Send the recipe, as an artifact: parameters of MLflow are flat and can be set only once."""
        self._client.log_dict(self._id, params, "recipe.json")

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Send numbers."""
        now = int(time.time() * 1000)
        entities = self._mlflow.entities
        self._client.log_batch(self._id, [entities.Metric(k, float(v), now, step or 0) for k, v in metrics.items()])

    def finalize(self, status: str) -> None:
        """Close the run, which a resumed one opens again."""
        self._client.set_terminated(self._id)


def _kept_id(path: Path, new: Callable[[], str]) -> str:
    """Give what a service knows the run by, the same in every sitting."""
    if not path.exists():
        files.write(path, new().encode())
    return path.read_text(encoding="utf-8")


def _tensorboard(folder: Path) -> Logger:
    return TensorBoardLogger(root_dir=folder, name="tensorboard", version="")


LOGGERS: Mapping[str, Callable[[Path], Logger]] = {
    "csv": CSVLogger,
    "mlflow": MLflowLogger,
    "tensorboard": _tensorboard,
    "wandb": WandbLogger,
}
"""Makes a logger for a run folder, by the name in recipes."""
