"""Reading installed distributions, against the standard library's reader."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest

from polydiff.plugins.distributions import distributions, entry_points, version


def test_agrees_with_importlib_metadata() -> None:
    groups = importlib.metadata.entry_points().groups
    assert {"polydiff", "console_scripts"} <= groups
    for group in groups:
        expected = {
            (point.name, ":".join(filter(None, (point.module, point.attr))))
            for point in importlib.metadata.entry_points(group=group)
        }
        assert {(point.name, point.value) for point in entry_points(group)} == expected
    for name in ("polydiff", "polydiff-image", "ruamel.yaml", "typing_extensions"):
        assert version(re.sub(r"[-_.]+", "-", name)) == importlib.metadata.version(name)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.path", [str(tmp_path / "missing"), str(tmp_path / "first"), str(tmp_path / "second")])
    return tmp_path


def install(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "entry_points.txt").write_text(text)


def test_reads_sections_comments_and_extras(site: Path) -> None:
    install(
        site / "first" / "Poly_Shape.x-2.0rc1.dist-info",
        "# no\n[x]\nx = y\n\n[ polydiff ]\n; no\nshape = poly.shape : Plugin [extra]\nline=poly.line\n[z]\nz=z\n",
    )
    shape, line = entry_points("polydiff")
    assert (shape.name, shape.value, line.name, line.value) == ("shape", "poly.shape:Plugin", "line", "poly.line")
    assert (shape.distribution.name, shape.distribution.version) == ("poly-shape-x", "2.0rc1")


def test_the_first_distribution_on_the_path_hides_the_second(site: Path) -> None:
    install(site / "first" / "a_b-1.dist-info", "[polydiff]\nnew = json\n")
    install(site / "second" / "A.b-0.egg-info", "[polydiff]\nold = json\n")
    assert [point.name for point in entry_points("polydiff")] == ["new"]
    assert [found.version for found in distributions()] == ["1"]
    assert version("absent") == ""


def test_loads_modules_and_what_is_in_them(site: Path) -> None:
    install(site / "first" / "a-1.dist-info", "[g]\nmodule = json\nname = json.decoder : JSONDecoder.decode\n")
    module, name = (point.load() for point in entry_points("g"))
    import json

    assert module is json
    assert name is json.JSONDecoder.decode
