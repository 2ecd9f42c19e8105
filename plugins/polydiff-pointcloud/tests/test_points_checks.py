"""What `polydiff doctor` says of shapes."""

from importlib import metadata

import trimesh
from polydiff_pointcloud import checks

from polydiff.plugins.checks import Finding


def without(*names):
    def version(name):
        if name in names:
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    return version


def test_trimesh_has_its_version():
    assert next(checks.pointcloud()) == Finding("ok", f"trimesh {trimesh.__version__}")


def test_what_is_there_is_named_with_its_use(monkeypatch):
    monkeypatch.setattr(checks, "version", without())
    assert [finding.message for finding in checks.pointcloud()] == [
        "trimesh 1.2.3",
        "pymeshlab 1.2.3, for meshes by screened Poisson reconstruction",
        "scikit-image 1.2.3, for meshes by marching cubes",
    ]


def test_what_is_not_there_is_named_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(checks, "version", without("pymeshlab"))
    findings = list(checks.pointcloud())
    assert [finding.level for finding in findings] == ["ok"] * 3
    said = "no pymeshlab, which meshes by screened Poisson reconstruction need: pip install 'polydiff-pointcloud[mesh]'"
    assert findings[1].message == said
