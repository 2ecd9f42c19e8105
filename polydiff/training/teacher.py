"""The model that another learns from: frozen, guided, and told of the same samples in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Around, Denoiser, NetworkDenoiser, per_sample
from polydiff.core.noise import DISTILL, Seeds
from polydiff.core.schedule import Schedule
from polydiff.errors import ModelError, UsageError
from polydiff.guidance.base import ALWAYS, Guidance
from polydiff.guidance.cfg import ClassifierFree
from polydiff.model.distilled import SCALE
from polydiff.model.loading import load
from polydiff.model.model import Model
from polydiff.plugins.specs import BackboneSpec
from polydiff.recipe.build import complete
from polydiff.recipe.component import Component
from polydiff.recipe.schema import DistillConfig

Rows = Tensor | slice
"""Which samples of a batch."""


@dataclass(frozen=True, slots=True)
class Told:
    """What student and teacher are told of a batch.

    Attributes
    ----------
    student, teacher
        The condition of each, made by its own conditioners.
    scale
        (B,) float64, how much the teacher is guided; `None` where that is always the same.
    seeds
        The samples' identities, for what else is drawn (in stream `DISTILL`, from step 1 on).
    """

    student: Condition | None
    teacher: Condition | None
    scale: Tensor | None
    seeds: Seeds


class Teacher:
    """A trained model that is asked for estimates and never changes.

    It is no module, so that it is neither saved, averaged nor wrapped with the student that holds its answers dear.

    Parameters
    ----------
    model
        In evaluation mode.
    guidance
        That it is asked with; innermost first.
    scales
        The range that each sample's scale is drawn from, in place of that of `guidance`; `None` draws none.

    Raises
    ------
    UsageError
        When the guidance is none that a student can learn.
    """

    def __init__(
        self, model: Model, guidance: Sequence[Component] = (), scales: tuple[float, float] | None = None
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.guidance = tuple(guidance)
        self.scales = scales
        self._network = _Masked(self.model.denoiser)
        self.denoiser = self._guided()

    @classmethod
    def of(cls, config: DistillConfig) -> Teacher:
        """Load the teacher of a recipe.

        Raises
        ------
        ModelError
            When it is gone, or its weights are not those that the recipe names.
        """
        if not Path(config.teacher).exists():
            raise ModelError(f"the teacher, {config.teacher}, is gone; distill.teacher=FOLDER says where it is now")
        model = load(Path(config.teacher))
        if model.sha256 != config.weights:
            raise ModelError(f"{config.teacher}: its weights are not those that the student began to learn from")
        return cls(model, config.guidance, config.scales)

    @property
    def schedule(self) -> Schedule:
        """The schedule of teacher and student."""
        return self.model.denoiser.schedule

    @property
    def told_scale(self) -> bool:
        """Whether the teacher is itself a student that is told how much to guide."""
        return SCALE in self.model.conditioners

    def start(self, student: Model) -> None:
        """Give a student all the teacher's tensors that have a place in it.

        A student with another network gets the codec and the conditioners alone; one that is told the scale and whose
        teacher is not begins as if it were not.
        """
        places = student.state_dict()
        ours, its = (
            complete(BackboneSpec, config.backbone, modality=config.modality)
            for config in (self.model.config, student.config)
        )
        fit = {
            name: tensor
            for name, tensor in self.model.state_dict().items()
            if (ours == its or not name.startswith("denoiser.")) and _has_place(tensor, places.get(name))
        }
        student.load_state_dict(fit, strict=False)

    def tell(self, student: Model, values: Mapping[str, Sequence[Any]], seeds: Seeds) -> Told:
        """Make the conditions of a batch of raw values, one for each sample of `seeds`."""
        if self.model.device != student.device:
            self.model.to(student.device)
        if self.scales is None:
            return Told(student.condition(values), self.model.condition(values, self.guidance), None, seeds)
        low, high = self.scales
        scale = low + (high - low) * seeds.uniform((), stream=DISTILL)
        told = {**values, SCALE: [[each] for each in scale.tolist()]}
        known = told if self.told_scale else {name: each for name, each in values.items() if name != SCALE}
        return Told(student.condition(told), self.model.condition(known), scale, seeds)

    @torch.no_grad()
    def x0(self, x_t: Tensor, t: Tensor, told: Told, mask: Tensor | None = None) -> Tensor:
        """Give the guided estimate of x_0, as `x_t`.

        Parameters
        ----------
        t
            () or (B,).
        mask
            As training has it: for networks that are told of it.
        """
        denoiser, every = self.denoiser, slice(None)
        if not isinstance(denoiser, Guidance) or denoiser.interval == ALWAYS or t.ndim == 0:
            return self._estimate(every, every, x_t, t, told, mask)
        low, high = denoiser.interval
        inside = (t >= low) & (t <= high)  # those are evaluated twice, the others once
        x0 = torch.empty_like(x_t)
        for some in (inside, ~inside):
            if some.any():
                rows = some.to(x_t.device)
                x0[rows] = self._estimate(some, rows, x_t, t, told, mask)
        return x0

    def _estimate(self, some: Rows, rows: Rows, x_t: Tensor, t: Tensor, told: Told, mask: Tensor | None) -> Tensor:
        """Evaluate some samples: `rows` are `some` where `x_t` is."""
        denoiser = self.denoiser
        self._network.mask = None if mask is None else mask.expand(len(x_t), *mask.shape[1:])[rows]
        if isinstance(denoiser, _ScaleOfEach):
            assert told.scale is not None
            denoiser = denoiser.copied(scales=told.scale[some])
        x0: Tensor = denoiser(x_t[rows], t[some] if t.ndim else t, told.teacher and told.teacher[rows])
        return x0

    def _guided(self) -> Denoiser:
        if self.scales is None or self.told_scale:
            sample = self.model.config.sample.model_copy(update={"guidance": list(self.guidance)})
            return _of_no_walk(self.model.guided(sample, self.model.codec.shape, self._network))
        cfg = Component("cfg") if not self.guidance else self.guidance[0]
        if cfg.name != "cfg" or len(self.guidance) > 1 or cfg.options.get("rescale"):
            raise UsageError("a range of guidance can be learnt of 'cfg' alone, and that without rescale")
        return _ScaleOfEach(self._network, tuple(cfg.options.get("interval", ALWAYS)))


def _has_place(tensor: Tensor, place: Tensor | None) -> bool:
    return place is not None and place.shape == tensor.shape


def _of_no_walk(guided: Denoiser) -> Denoiser:
    """Refuse guidance that is another one in each walk: a student is asked at any time of none."""
    if any(each is not guided for each in guided.along(torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64))):
        raise UsageError("guidance that depends on the steps of a walk (cfg++, apg with momentum) cannot be learnt")
    return guided


class _Masked(Around):
    """A network that is told of the mask of a batch, of which guidance may make several copies."""

    denoiser: NetworkDenoiser
    mask: Tensor | None = None

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        mask = self.mask
        copies = None if mask is None else mask.repeat(len(x_t) // len(mask), *(1,) * (mask.ndim - 1))
        x0: Tensor = self.denoiser(x_t, t, cond, copies)
        return x0


class _ScaleOfEach(ClassifierFree):
    """Classifier-free guidance with a scale for each sample, (B,) `scales`."""

    scales: Tensor

    def __init__(self, denoiser: Denoiser, interval: tuple[float, float]) -> None:
        super().__init__(denoiser, scale=1.0, interval=interval)

    def is_off(self, cond: Condition | None) -> bool:
        return cond is None or not cond.asks

    def combine(self, c: Tensor, u: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(u, c, per_sample(self.scales, c).to(c))
