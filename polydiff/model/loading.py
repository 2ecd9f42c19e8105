"""Loading a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from polydiff.errors import ModelError, RecipeError
from polydiff.model import folder as model_folder
from polydiff.model.bounded import building
from polydiff.model.codec_model import CodecModel
from polydiff.model.model import Model
from polydiff.model.pair import Pair


def load(path: str | Path) -> Model:
    """Load a model folder, or that of a run folder, ready to generate.

    Raises
    ------
    ModelError
        When the folder is not one that polydiff saved, whole and unchanged.
    PluginError
        When the model needs a plugin that is missing or broken.
    """
    folder = model_folder.find(path)
    digests = model_folder.verify(folder)
    weights = model_folder.read_weights(folder / model_folder.WEIGHTS)
    try:
        config = model_folder.read_config(folder)
        with building(folder / model_folder.CONFIG, weights):
            model = Model.from_config(config)
    except RecipeError as error:
        raise ModelError(str(error)) from error
    _give(model, weights, folder)
    model.folder, model.sha256 = folder, digests[model_folder.WEIGHTS]
    return model.eval()


def load_codec(path: str | Path) -> CodecModel:
    """Load the folder of a trained codec, or that of its run folder; raises as `load` does."""
    folder = model_folder.find(path)
    model_folder.verify(folder)
    weights = model_folder.read_weights(folder / model_folder.WEIGHTS)
    try:
        config = model_folder.read_codec_config(folder)
        with building(folder / model_folder.CONFIG, weights):
            model = CodecModel.from_config(config)
    except RecipeError as error:
        raise ModelError(str(error)) from error
    _give(model.codec, weights, folder)
    return model.eval()


def load_pair(path: str | Path) -> Pair:
    """Load the folder of a contrastive pair, or that of its run folder; raises as `load` does."""
    folder = model_folder.find(path)
    model_folder.verify(folder)
    weights = model_folder.read_weights(folder / model_folder.WEIGHTS)
    try:
        config = model_folder.read_pair_config(folder)
        with building(folder / model_folder.CONFIG, weights):
            pair = Pair.from_config(config)
    except RecipeError as error:
        raise ModelError(str(error)) from error
    _give(pair, weights, folder)
    return pair.eval()


def is_pair(path: str | Path) -> bool:
    """Tell whether a folder holds a contrastive pair; raises as `load` does where it holds nothing."""
    return model_folder.kind_of(model_folder.find(path)) == "contrastive"


def _give(module: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    problem = _mismatch(weights, module.state_dict())
    if problem:
        raise ModelError(f"{folder / model_folder.WEIGHTS} does not fit {model_folder.CONFIG}: {problem}")
    module.load_state_dict(weights)


def _mismatch(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """Say the first way in which tensors are not those expected."""
    for name, tensor in expected.items():
        if name not in found:
            return f"there is no tensor '{name}'"
        if found[name].shape != tensor.shape:
            return f"tensor '{name}' is {tuple(found[name].shape)}, not {tuple(tensor.shape)}"
    unknown = next((name for name in found if name not in expected), None)
    return unknown and f"there is no place for its tensor '{unknown}'"
