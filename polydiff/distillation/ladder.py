"""The ladder: one student after the other, each an ordinary run, as long as they are good enough."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from polydiff import files
from polydiff.distillation.judge import Judge
from polydiff.distillation.plan import Plan
from polydiff.distillation.receipt import Receipt, Row
from polydiff.model import folder as model_folder
from polydiff.model import load
from polydiff.model.model import Model
from polydiff.plugins.host import Host
from polydiff.recipe.load import load_recipe
from polydiff.recipe.schema import Recipe
from polydiff.training import checkpoint
from polydiff.training.assemble import Parts, assemble_model
from polydiff.training.processes import Processes
from polydiff.training.record import Run
from polydiff.training.train import Outcome, train

Watch = Callable[[Run], AbstractContextManager[None]]
"""Shows a run while inside."""


@dataclass(slots=True)
class Ladder:
    """A plan that is carried out in a folder.

    Attributes
    ----------
    folder
        Of the receipt, the last good model, and the rungs' runs.
    receipt
        As far as it got; the same on all processes.
    watch
        Shows each rung's run.
    """

    plan: Plan
    folder: Path
    receipt: Receipt
    processes: Processes
    host: Host
    watch: Watch
    judge: Judge | None = None

    def __call__(self) -> str:
        """Climb down, from where the receipt ends.

        Returns
        -------
        str
            "finished", "limit" where a rung is beyond it, or "interrupted".

        Raises
        ------
        PolydiffError
            As training does.
        """
        teacher = model_folder.find(self.plan.request.folder)
        for place in range(len(self.plan.rungs)):
            run = self._run(place, teacher)
            if self.receipt.rung(run.folder.name) is None:
                assert isinstance(run.recipe, Recipe), "a rung that is a codec"
                parts = assemble_model(run.recipe)
                self._begin(parts)
                outcome = self._train(parts, run)
                if outcome.reason == "interrupted":
                    return "interrupted"
                self.receipt = self.processes.on_first(partial(self._conclude, parts, run, outcome))
            if self.receipt.stopped:
                return "limit"
            teacher = run.model
        return "finished"

    def _run(self, place: int, teacher: Path) -> Run:
        """Give the run of a rung: the one that was begun, with its teacher where that lies now, or a new one."""
        folder = self.folder / "rungs" / f"{place + 1:02}-{self.plan.rungs[place].name}"
        begun = self.processes.on_first(partial(_begun, folder))
        if begun:
            recipe = load_recipe(folder / "recipe.yaml", [f"distill.teacher={json.dumps(str(teacher.resolve()))}"])
            assert isinstance(recipe, Recipe)
        else:
            recipe = self.plan.recipe_of(place, teacher, self._minutes(place))
        return Run(folder, recipe)

    def _minutes(self, place: int) -> float | None:
        """Divide the time that is left among the rungs that are."""
        whole = self.plan.request.max_minutes
        if whole is None:
            usual = self.plan.recipe.train.max_minutes
            return None if usual is None else usual / 2
        return max((whole - self.receipt.minutes) / (len(self.plan.rungs) - place), 1e-3)

    def _train(self, parts: Parts, run: Run) -> Outcome:
        run = Run(run.folder, parts.recipe)
        resume = self.processes.on_first(lambda: bool(checkpoint.steps(run.checkpoints)))
        with self.watch(run):
            return train(parts, run, self.processes, host=self.host, resume=resume)

    def _begin(self, parts: Parts) -> None:
        """Judge the teacher, once in a sitting: what it makes of the noise is what students are compared with."""

        def begin() -> Receipt:
            plan, receipt = self.plan, self.receipt
            teacher = plan.teacher.to(self.processes.fabric.device)
            self.judge = judge = Judge(teacher, parts.held_out or parts.examples, plan.request.samples)
            settings = _settings(plan)
            judged = judge(teacher, **settings)
            if receipt.teacher is None:
                receipt.samples, receipt.real = judge.count, judge.halves
                receipt.teacher = Row.of("teacher", judged, sampler=plan.sample.sampler.name, steps=plan.sample.steps)
                receipt.untaught = self._untaught(judge, teacher)
                receipt.write(self.folder)
            return receipt

        if self.judge is None:
            self.receipt = self.processes.on_first(begin)

    def _untaught(self, judge: Judge, teacher: Model) -> Row | None:
        """Judge the teacher with as few steps as the last student has, by the sampler and on the grid of its recipe."""
        if teacher.config.distilled is not None:
            return None
        usual, steps = self.plan.recipe.sample, self.plan.request.steps
        judged = judge(teacher, sampler=usual.sampler, grid=usual.grid, steps=steps, guidance=self.plan.sample.guidance)
        return Row.of("teacher", judged, sampler=usual.sampler.name, steps=steps)

    def _conclude(self, parts: Parts, run: Run, outcome: Outcome) -> Receipt:
        """Judge a student that has been trained, and keep it if it is good enough."""
        judge, receipt = self.judge, self.receipt
        assert judge is not None
        assert receipt.teacher is not None
        student = load(run.model).to(self.processes.fabric.device)
        figures = outcome.progress.figures
        student.config = _with_loss(parts.recipe, figures.get("loss"))
        student.save(run.model, figures)
        judged = judge(student)
        row = Row.of(
            run.folder.name,
            judged,
            sampler=student.config.sample.sampler.name,
            steps=student.config.sample.steps,
            loss=figures.get("loss"),
            minutes=outcome.progress.seconds / 60,
            beyond=judge.beyond(judged.figures, receipt.teacher.figures, self.plan.request.limit),
        )
        receipt.rungs.append(row)
        if not row.beyond:
            student.save(self.folder / "model", figures)
            files.write(self.folder / "recipe.yaml", (run.folder / "recipe.yaml").read_bytes())
        receipt.write(self.folder)
        return receipt


def _begun(folder: Path) -> bool:
    """Tell whether there is something of a run to go on with; what stopped before its first checkpoint is removed."""
    if (folder / "recipe.yaml").is_file() and checkpoint.steps(folder / "checkpoints"):
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _settings(plan: Plan) -> dict[str, Any]:
    """Say how the teacher is sampled for comparison; a student is as it is."""
    if plan.teacher.config.distilled is not None:
        return {}
    sample = plan.sample
    return {"sampler": sample.sampler, "steps": sample.steps, "grid": sample.grid, "guidance": sample.guidance}


def _with_loss(recipe: Recipe, loss: float | None) -> Recipe:
    """Note what validation measured in the lineage."""
    made = recipe.distilled
    assert made is not None
    *before, last = made.rungs
    rungs = [*before, last.model_copy(update={"loss": loss})]
    return recipe.model_copy(update={"distilled": made.model_copy(update={"rungs": rungs})})
