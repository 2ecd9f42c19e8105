"""Loading a model folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from polydiff.errors import ModelError, RecipeError
from polydiff.model import folder as model_folder
from polydiff.model.bounded import building
from polydiff.model.codec_model import CodecModel
from polydiff.model.model import Model
from polydiff.model.pair import Pair

Config = TypeVar("Config")
Built = TypeVar("Built")


def load(path: str | Path) -> Model:
    """Load a model folder, or that of a run folder, ready to generate.

    Raises
    ------
    ModelError
        When the folder is not one that polydiff saved, whole and unchanged.
    PluginError
        When the model needs a plugin that is missing or broken.
    """
    model, saved = _built(path, model_folder.read_config, Model.from_config)
    _give(model, saved)
    model.folder, model.sha256 = saved.folder, saved.sha256
    return model.eval()


def load_codec(path: str | Path) -> CodecModel:
    """Load the folder of a trained codec, or that of its run folder; raises as `load` does."""
    model, saved = _built(path, model_folder.read_codec_config, CodecModel.from_config)
    _give(model.codec, saved)
    return model.eval()


def load_pair(path: str | Path) -> Pair:
    """Load the folder of a contrastive pair, or that of its run folder; raises as `load` does."""
    pair, saved = _built(path, model_folder.read_pair_config, Pair.from_config)
    _give(pair, saved)
    return pair.eval()


def is_pair(path: str | Path) -> bool:
    """Tell whether a folder holds a contrastive pair; raises as `load` does where it holds nothing."""
    return model_folder.kind_of(model_folder.find(path)) == "contrastive"


@dataclass(frozen=True, slots=True)
class _Saved:
    """The weights in a model folder, and their digest."""

    folder: Path
    weights: Mapping[str, Tensor]
    sha256: str


def _built(
    path: str | Path, read_config: Callable[[Path], Config], from_config: Callable[[Config], Built]
) -> tuple[Built, _Saved]:
    """Build what a folder describes, without its weights."""
    folder = model_folder.find(path)
    digests = model_folder.verify(folder)
    weights = model_folder.read_weights(folder / model_folder.WEIGHTS)
    try:
        config = read_config(folder)
        with building(folder / model_folder.CONFIG, weights):
            built = from_config(config)
    except RecipeError as error:
        raise ModelError(str(error)) from error
    return built, _Saved(folder, weights, digests[model_folder.WEIGHTS])


def _give(module: nn.Module, saved: _Saved) -> None:
    problem = _mismatch(saved.weights, module.state_dict())
    if problem:
        raise ModelError(f"{saved.folder / model_folder.WEIGHTS} does not fit {model_folder.CONFIG}: {problem}")
    module.load_state_dict(saved.weights)


def _mismatch(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """Say the first way in which tensors are not those expected."""
    for name, tensor in expected.items():
        if name not in found:
            return f"there is no tensor '{name}'"
        if found[name].shape != tensor.shape:
            return f"tensor '{name}' is {tuple(found[name].shape)}, not {tuple(tensor.shape)}"
    unknown = next((name for name in found if name not in expected), None)
    return unknown and f"there is no place for its tensor '{unknown}'"
