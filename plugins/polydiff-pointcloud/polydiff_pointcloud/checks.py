"""What shapes need, for `polydiff doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from polydiff.plugins.checks import Finding

_EXTRA = {
    "pymeshlab": "meshes by screened Poisson reconstruction",
    "scikit-image": "meshes by marching cubes",
}
"""Distributions of the extra `mesh`, and what they are for."""


def pointcloud() -> Iterator[Finding]:
    """Look for the libraries; those of the extra `mesh` may be absent."""
    yield Finding("ok", f"trimesh {version('trimesh')}")
    for name, use in _EXTRA.items():
        try:
            yield Finding("ok", f"{name} {version(name)}, for {use}")
        except PackageNotFoundError:
            yield Finding("ok", f"no {name}, which {use} need: pip install 'polydiff-pointcloud[mesh]'")
