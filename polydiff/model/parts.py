"""The parts of a model, from registered names."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import nn

from polydiff.conditioning.conditioner import Conditioner
from polydiff.core.denoiser import NetworkDenoiser
from polydiff.data.codec import Codec
from polydiff.errors import UsageError
from polydiff.model.conditions import total_dims
from polydiff.model.reading import with_content
from polydiff.nn.time_embedding import TimeEmbedding
from polydiff.plugins.specs import BackboneSpec, CodecSpec, ConditionerSpec, ScheduleSpec
from polydiff.recipe.build import build, build_prediction, build_times
from polydiff.recipe.schema import ModelConfig

WIDTH = 128
"""Of the vector of where a step ends, for flow maps without any other vector."""


def build_parts(config: ModelConfig) -> tuple[Codec, NetworkDenoiser, dict[str, Conditioner]]:
    """Build codec, denoiser and conditioners, untrained; raises as `Model.from_config` does."""
    modality = config.modality
    codec: Codec = build(CodecSpec, config.codec, modality=modality)
    for name, condition in config.conditions.items():
        if hasattr(nn.ModuleDict(), name):
            raise condition.error("torch keeps this name for itself; give the fact another")
    read = partial(with_content, modality=modality)
    conditioners = {
        name: build(ConditionerSpec, condition, codec=codec, read=read) for name, condition in config.conditions.items()
    }
    dims = total_dims(config, conditioners)
    if config.flow_map:
        dims = replace(dims, vector=dims.vector or WIDTH)
    backbone = build(
        BackboneSpec,
        config.backbone,
        modality=modality,
        data_channels=codec.channels,
        condition=dims,
    )
    schedule, prediction = build(ScheduleSpec, config.schedule), build_prediction(config.prediction)
    build_times(config.sample.grid, schedule, config.sample.steps)  # refuses what would fail at the first preview
    try:
        target = TimeEmbedding(dims.vector, silent=True) if config.flow_map else None
        denoiser = NetworkDenoiser(backbone, schedule, prediction, target)
    except UsageError as error:
        raise config.prediction.error(str(error)) from error
    return codec, denoiser, conditioners
