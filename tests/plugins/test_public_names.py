"""`import polydiff`: lazy, complete, free of torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

import polydiff

HEAVY = {"torch", "numpy", "pydantic", "rich", "ruamel", "lightning_fabric"}


def imported(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has imported after `code`."""
    command = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stderr.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import polydiff; polydiff.__version__; dir(polydiff)",
        "import polydiff; polydiff.hookimpl; polydiff.PolydiffError",
    ],
)
def test_importing_polydiff_is_light(code: str) -> None:
    assert not imported(code) & HEAVY


def test_every_public_name_resolves() -> None:
    for name in polydiff.__all__:
        assert getattr(polydiff, name) is not None


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'schedul'"):
        _ = polydiff.schedul


def test_guidance_is_both_package_and_function() -> None:
    import polydiff.guidance.cfg as by_module

    denoiser = polydiff.oracle.Gaussian(0.0, 1.0, polydiff.schedule("flow"))
    assert isinstance(polydiff.guidance("cfg", denoiser, scale=2.0), by_module.ClassifierFree)
    assert polydiff.guidance.cfg is by_module
