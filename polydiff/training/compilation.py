"""`torch.compile` for the network that is trained."""

from __future__ import annotations

import torch

from polydiff.errors import UsageError
from polydiff.model.codec_model import CodecModel
from polydiff.model.model import Model
from polydiff.model.pair import Pair


def compile_network(model: Model | CodecModel | Pair, device: torch.device) -> None:
    """Compile a model's network, in place and with its names as they are; it happens at the first step.

    Its average is not compiled: validation and previews are of other sizes, each of which would be compiled anew.

    Raises
    ------
    UsageError
        When nothing can be compiled here, for want of a compiler for instance.
    """
    try:
        torch.compile(torch.sin)(torch.ones(2, device=device))
    except Exception as error:  # what is missing is told by errors of many kinds
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"train.compile: nothing can be compiled on this machine: {reason}") from error
    match model:
        case CodecModel():
            model.codec.autoencoder.compile()
        case Pair():
            model.encoder.compile()
        case _:
            model.backbone.compile()
