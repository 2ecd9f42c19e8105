"""Train diffusion models on anything: one engine that knows no modality, and plugins that do."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

import polydiff.guidance as _guidance

if TYPE_CHECKING:
    from polydiff.core import oracle
    from polydiff.core.condition import Condition
    from polydiff.core.denoiser import Denoiser
    from polydiff.core.noise import Seeds
    from polydiff.errors import PolydiffError
    from polydiff.model import load, load_pair
    from polydiff.plugins.factory import guidance, invert, sampler, schedule
    from polydiff.plugins.hookspecs import hookimpl
    from polydiff.sampling.interpolation import slerp
    from polydiff.sampling.likelihood import log_likelihood
    from polydiff.sampling.sampler import prior

    __version__: str

__all__ = [
    "Condition",
    "Denoiser",
    "PolydiffError",
    "Seeds",
    "__version__",
    "guidance",
    "hookimpl",
    "invert",
    "load",
    "load_pair",
    "log_likelihood",
    "oracle",
    "prior",
    "sampler",
    "schedule",
    "slerp",
]

# Where each public name lives; it is imported when first asked for: `import polydiff` imports no torch.
_HOMES = MappingProxyType(
    {
        "Condition": "polydiff.core.condition",
        "Denoiser": "polydiff.core.denoiser",
        "PolydiffError": "polydiff.errors",
        "Seeds": "polydiff.core.noise",
        "hookimpl": "polydiff.plugins.hookspecs",
        "invert": "polydiff.plugins.factory",
        "load": "polydiff.model",
        "load_pair": "polydiff.model",
        "log_likelihood": "polydiff.sampling.likelihood",
        "oracle": "polydiff.core",
        "prior": "polydiff.sampling.sampler",
        "sampler": "polydiff.plugins.factory",
        "schedule": "polydiff.plugins.factory",
        "slerp": "polydiff.sampling.interpolation",
    }
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("polydiff.plugins.distributions").version("polydiff")
    if name not in _HOMES:
        raise AttributeError(f"module 'polydiff' has no attribute '{name}'")
    home = _HOMES[name]
    value = import_module(f"{home}.oracle") if name == "oracle" else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _GuidancePackage(ModuleType):
    """`polydiff.guidance` is the package of guidances and, called, the function that makes one."""

    def __call__(self, name: str, denoiser: Denoiser, **options: Any) -> Denoiser:
        from polydiff.plugins import factory  # noqa: PLC0415

        return factory.guidance(name, denoiser, **options)


_guidance.__class__ = _GuidancePackage
