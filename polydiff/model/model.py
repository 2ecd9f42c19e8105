"""The model: a codec, a denoiser and conditioners, made from registered names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from polydiff.conditioning.conditioner import Conditioner
from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser, NetworkDenoiser
from polydiff.core.given import Given, Known
from polydiff.core.noise import Seeds
from polydiff.data.codec import Codec
from polydiff.errors import UsageError
from polydiff.model import distilled
from polydiff.model import folder as model_folder
from polydiff.model.card import card
from polydiff.model.companions import Companions
from polydiff.model.conditions import Assigned, Wish, assign, make, prompted
from polydiff.model.denoising import guided
from polydiff.model.parts import build_parts
from polydiff.model.settings import Guidance, check_asked, check_avoided, check_set, settings, weighs_apart
from polydiff.model.tuned import TUNED, find
from polydiff.nn.backbone import Backbone
from polydiff.plugins.specs import SamplerSpec
from polydiff.recipe.build import build, build_times, complete
from polydiff.recipe.component import Component
from polydiff.recipe.schema import ModelConfig, SampleConfig
from polydiff.sampling.sampler import Sampler, StepEnd, prior


class Model(nn.Module):
    """All that it takes to generate.

    Attributes
    ----------
    config
        Registered names and options: what the model is made from.
    codec
        Between contents and tensors.
    denoiser
        The network with its schedule and prediction.
    conditioners
        By the name of the fact that each turns into a `Condition`.
    folder, sha256
        The model folder and the digest of the weights' file that it was loaded from; `None` for a model that was not.
    """

    folder: Path | None = None
    sha256: str | None = None

    def __init__(
        self,
        config: ModelConfig,
        codec: Codec,
        denoiser: NetworkDenoiser,
        conditioners: Mapping[str, Conditioner],
    ) -> None:
        super().__init__()
        self.config = config
        self.codec = codec
        self.denoiser = denoiser
        self.conditioners = nn.ModuleDict(conditioners)
        self._companions = Companions()

    @classmethod
    def from_config(cls, config: ModelConfig) -> Model:
        """Build an untrained model.

        Raises
        ------
        RecipeError
            When an option is not one, or the parts do not go together; a UsageError where no recipe file is at fault.
        PluginError
            When a name is of a plugin that is missing or broken.
        """
        return cls(config, *build_parts(config))

    @property
    def backbone(self) -> Backbone:
        """The denoiser's network."""
        return cast(Backbone, self.denoiser.backbone)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def prompted(self) -> str:
        """Name the condition that takes prompts; raises as `polydiff.model.conditions.prompted` does."""
        return prompted(cast(Mapping[str, Conditioner], self.conditioners))

    def assign(self, wishes: Mapping[str, Wish]) -> dict[str, Assigned]:
        """Read what a user asks for, by condition; raises as `polydiff.model.conditions.assign` does."""
        return assign(cast(Mapping[str, Conditioner], self.conditioners), wishes)

    def condition(
        self,
        values: Mapping[str, Sequence[Any]],
        guidance: Sequence[Component] = (),
        avoided: Mapping[str, Sequence[Any]] | None = None,
    ) -> Condition | None:
        """Make the condition of a batch.

        Parameters
        ----------
        values
            By condition, one value for each sample, as its conditioner prepares or parses them; `None` is
            unconditional. Conditions that are not named are unconditional for all.
        guidance
            That it is to be used with: other models that take part in it are told as well.
        avoided
            As `values`: what guidance leads away from.

        Returns
        -------
        Condition or None
            `None` when nothing is named.

        Raises
        ------
        UsageError
            When the model has no condition of a name.
        """
        avoided = avoided or {}
        conditioners = cast(Mapping[str, Conditioner], self.conditioners)
        cond = make(conditioners, values, avoided, apart=any(map(weighs_apart, guidance)))
        if cond is None or self.config.distilled is not None:
            return cond
        return self._companions.tell(cond, values, avoided, guidance, self)

    def settings(
        self,
        *,
        sampler: str | Component | None = None,
        steps: int | None = None,
        guidance: Guidance | None = None,
        grid: str | Component | None = None,
    ) -> SampleConfig:
        """Give the recipe's settings with those that are not `None` in their place.

        The grid `tuned` becomes the times that `polydiff tune-grid` found for this model, the sampler and the steps.

        Raises
        ------
        UsageError
            When a name or an option is not one that can be used, or there is no such tuned grid.
        """
        named = Component(grid) if isinstance(grid, str) else grid
        tuned = named == Component(TUNED)
        chosen = settings(
            self.config.sample, sampler=sampler, steps=steps, guidance=guidance, grid=None if tuned else named
        )
        distilled.check(self.config, chosen)
        if not tuned:
            return chosen
        if self.folder is None or self.sha256 is None:
            raise UsageError("time grids are tuned for models in folders, and this one was not loaded from any")
        found = find(self.folder, self.sha256, complete(SamplerSpec, chosen.sampler), chosen.steps)
        return chosen.model_copy(update={"grid": found})

    @torch.no_grad()
    def sample(
        self,
        seeds: Seeds,
        conditions: Mapping[str, Sequence[Any]] | None = None,
        *,
        shape: tuple[int, ...] | None = None,
        sampler: str | Component | None = None,
        steps: int | None = None,
        guidance: Guidance | None = None,
        grid: str | Component | None = None,
        avoided: Mapping[str, Sequence[Any]] | None = None,
        known: Known | None = None,
        on_step: Callable[[StepEnd], None] | None = None,
    ) -> Tensor:
        """Generate tensors; what is not given is as the recipe says. Call `eval()` first: `load` does.

        Parameters
        ----------
        seeds
            The samples' identities: B of them.
        conditions
            As for `condition`.
        shape
            (C, *) of one sample; that of the training data by default.
        guidance
            The scale of classifier-free guidance (1 is none), one for each of several conditions by name, or a list of
            components, innermost first.
        sampler, grid
            A name, or a component where it has options; the grid `tuned` is that of `polydiff tune-grid`.
        avoided
            As `conditions`: what guidance leads away from, in the place of the unconditional.
        known
            What is given of the samples, as the codec encodes it; the rest is generated.

        Returns
        -------
        Tensor
            (B, C, *).

        Raises
        ------
        UsageError
            When a name, the shape or a number is not one that can be used.
        """
        chosen = self.settings(sampler=sampler, steps=steps, guidance=guidance, grid=grid)
        values = distilled.with_scale(self.config, conditions or {}, chosen, len(seeds))
        cond = self.condition(values, chosen.guidance, avoided)
        if guidance is not None:
            check_asked(chosen.guidance, conditions or {}, avoided or {}, list(self.conditioners))
        if avoided:
            distilled.check_avoided(self.config)
            check_avoided(chosen.guidance)
        shape = self.codec.shape if shape is None else shape
        if cond is not None and cond.channels is not None and cond.channels.shape[2:] != shape[1:]:
            raise UsageError("what is given as channels has the size of the training data; so must what is generated")
        method: Sampler = build(SamplerSpec, chosen.sampler)
        denoiser = self.guided(chosen, shape)
        return method.sample(
            denoiser if known is None else Given(denoiser, known, seeds),
            prior(self.denoiser.schedule, seeds, shape, self.device),
            times=build_times(chosen.grid, self.denoiser.schedule, chosen.steps),
            cond=cond,
            seeds=seeds,
            on_step=on_step,
        )

    def guided(self, chosen: SampleConfig, shape: tuple[int, ...], network: Denoiser | None = None) -> Denoiser:
        """Give what denoises samples of a shape; see `polydiff.model.denoising.guided`."""
        return guided(self, self._companions, chosen, shape, network)

    def generate(
        self,
        n: int,
        *,
        seed: int = 0,
        first: int = 0,
        batch: int = 64,
        size: str | None = None,
        sampler: str | Component | None = None,
        steps: int | None = None,
        guidance: Guidance | None = None,
        grid: str | Component | None = None,
        negative: str | Mapping[str, Wish] | None = None,
        **conditions: Wish,
    ) -> list[Any]:
        """Generate contents (pictures, sounds, ...).

        Sample i of a seed is the same for any `batch`, to the rounding of the network's kernels.

        Parameters
        ----------
        n, first
            Samples `first` to `first + n - 1` of the seed.
        size
            As the modality writes sizes ("96x64", "2.5s", ...); that of the training data by default.
        negative
            What guidance leads away from: a prompt, or as `conditions`, by name.
        conditions
            By name: one value for all, several that the samples take in turn, or "all" for every class in
            turn, as in `label="3"`, `label=["0", "1"]`, `label="all"`.

        Returns
        -------
        list
            `n` contents, as the codec decodes them.

        Raises
        ------
        UsageError
            When a condition, a name, the size or a number is not one that can be used.
        """
        assigned = self.assign(conditions)
        avoided = self.assign({self.prompted: negative} if isinstance(negative, str) else negative or {})
        shape = None if size is None else self.codec.shape_for(size)
        check_set(n, first, seed, batch)
        contents: list[Any] = []
        for start in range(first, first + n, batch):
            indices = range(start, min(start + batch, first + n))
            x = self.sample(
                Seeds(seed, indices),
                {name: [each.value(i) for i in indices] for name, each in assigned.items()},
                shape=shape,
                sampler=sampler,
                steps=steps,
                guidance=guidance,
                grid=grid,
                avoided={name: [each.value(i) for i in indices] for name, each in avoided.items()},
            )
            decoded = self.codec.decode(x)
            contents.extend(decoded if size is None else [self.codec.cut(content, size) for content in decoded])
        return contents

    def save(
        self,
        folder: str | Path,
        figures: Mapping[str, float] | None = None,
        *,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Write a model folder: whole, or not at all.

        Parameters
        ----------
        folder
            New, empty, or a model folder, which is replaced.
        figures
            What validation measured, for the model card.
        weights
            Its state, where that of the model itself is divided among processes.

        Raises
        ------
        PolydiffError
            When it cannot be written (disk full, ...).
        """
        state = self.state_dict() if weights is None else weights
        tensors = {name: x.detach().to("cpu", copy=True).contiguous() for name, x in state.items()}
        contents = {
            model_folder.CONFIG: model_folder.dump_config(self.config),
            model_folder.WEIGHTS: save(tensors),
            model_folder.CARD: card(self.config, figures or {}).encode(),
        }
        model_folder.write(Path(folder), contents)
