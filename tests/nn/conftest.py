from collections.abc import Callable

import pytest
import torch
from torch import nn


@pytest.fixture
def randomised() -> Callable[[nn.Module], nn.Module]:
    """Give a module without zero-initialised outputs, in evaluation mode."""

    def randomise(module: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in module.parameters():
                fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
        return module.eval()

    return randomise
