"""Building what a model folder names in hardly more memory than its weights take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from polydiff.errors import ModelError

SPARE = 1 << 26
"""Numbers that a network may have besides its weights while it is built: what is computed, or in two places at once."""


@contextmanager
def building(file: Path, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Refuse a network that is larger than its weights, as soon as one of its layers shows it.

    A few bytes of `file` could otherwise ask for any amount of memory.

    Raises
    ------
    ModelError
        When parameters and buffers made inside have more than twice the numbers of `weights`, and `SPARE`.
    """
    most = 2 * sum(tensor.numel() for tensor in weights.values()) + SPARE
    count = 0

    def add(_module: nn.Module, _name: str, tensor: Tensor | None) -> None:
        nonlocal count
        count += 0 if tensor is None else tensor.numel()
        if count > most:
            raise ModelError(f"{file} asks for a larger network than its weights are of")

    hooks = (
        torch_module.register_module_parameter_registration_hook(add),
        torch_module.register_module_buffer_registration_hook(add),
    )
    try:
        yield
    except (RuntimeError, MemoryError, OverflowError) as error:  # a single tensor that no memory could hold
        raise ModelError(f"{file} asks for a network that cannot be made: {str(error).splitlines()[0]}") from error
    finally:
        for hook in hooks:
            hook.remove()
