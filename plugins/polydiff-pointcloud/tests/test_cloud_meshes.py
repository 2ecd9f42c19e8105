"""Meshes made of clouds, by both methods, and what is said of them."""

import io
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from polydiff_pointcloud import mesh_writers
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.furniture import Furniture
from polydiff_pointcloud.meshing import poisson, reconstruct
from polydiff_pointcloud.meshing.surface import Surface
from polydiff_pointcloud.normals import estimate, solve
from scipy.spatial import cKDTree

from polydiff.errors import PluginError, UsageError
from polydiff.plugins.host import host
from polydiff.plugins.specs import FileKindSpec


def sampled(mesh, count, seed=0):
    points, faces = trimesh.sample.sample_surface(mesh, count, seed=seed)
    return points.astype(np.float32), mesh.face_normals[faces]


def chamfer(a, b):
    return cKDTree(b).query(a)[0].mean() + cKDTree(a).query(b)[0].mean()


TORUS = trimesh.creation.torus(1.0, 0.35)
SPHERE = trimesh.creation.icosphere(3)
BOARD = trimesh.creation.box((1.2, 0.05, 0.8))


@pytest.fixture(scope="module")
def table():
    """Two independent samplings of a table of 2,048 points each."""
    points = Furniture(count=1, kinds=("table",), points=4096, seed=3)[0].content.points
    order = np.random.default_rng(0).permutation(4096)
    return points[order[:2048]], points[order[2048:]]


@pytest.mark.parametrize("mesh", [TORUS, SPHERE, BOARD])
def test_normals_point_outwards(mesh):
    """On the thin board, too, whose points have those of the other side among their nearest."""
    points, true = sampled(mesh, 800)
    cosine = (estimate(points) * true).sum(1)
    assert (cosine > 0).mean() > 0.97
    assert np.median(cosine) > 0.85


def test_normals_of_points_that_are_not_solved_for(monkeypatch):
    monkeypatch.setattr("polydiff_pointcloud.normals.MOST", 400)
    points, true = sampled(SPHERE, 1500)
    normals = estimate(points)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert (normals * true).sum(1).min() > 0.6


def test_the_indicator_tells_inside_from_outside():
    field = solve(sampled(SPHERE, 1000)[0])
    inside, outside = field(np.zeros((1, 3), np.float32)), field(np.float32([[0, 1.6, 0]]))
    on_surface = np.median(field(field.points))
    assert inside / on_surface == pytest.approx(2, abs=0.4)
    assert abs(outside) < 0.1


def test_screened_poisson_of_a_table_is_watertight_and_near(table):
    ours, other = table
    surface = reconstruct.reconstruct(PointCloud(ours))
    assert surface.method == "screened Poisson"
    assert surface.watertight
    assert surface.mesh.volume > 0
    assert chamfer(sampled(surface.mesh, 2048)[0], ours) < 2 * chamfer(ours, other)


def test_euler_number_of_a_torus_is_that_of_a_handle():
    surface = reconstruct.reconstruct(PointCloud(sampled(TORUS, 1000)[0]))
    assert (surface.watertight, surface.euler, surface.pieces) == (True, 0, 1)


@pytest.fixture
def without(monkeypatch):
    def uninstall(*modules):
        installed = reconstruct._installed
        monkeypatch.setattr(reconstruct, "_installed", lambda module: module not in modules and installed(module))

    return uninstall


def test_marching_cubes_without_pymeshlab(without):
    without("pymeshlab")
    points, _ = sampled(TORUS, 700)
    surface = reconstruct.reconstruct(PointCloud(points))
    assert surface.method == "marching cubes (pymeshlab is not installed)"
    assert (surface.watertight, surface.euler) == (True, 0)
    assert surface.mesh.volume == pytest.approx(TORUS.volume, rel=0.1)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "pymeshlab crashed with signal 11"),
        ("raise ValueError('no octree')", "pymeshlab failed: ValueError: no octree"),
        ("import time; time.sleep(60)", "pymeshlab took more than 0.5 s"),
    ],
)
def test_marching_cubes_where_pymeshlab_fails(monkeypatch, program, reason):
    run = subprocess.run
    monkeypatch.setattr(poisson, "SECONDS", 0.5 if "sleep" in program else 60)
    monkeypatch.setattr(subprocess, "run", lambda _, **options: run([sys.executable, "-c", program], **options))
    surface = reconstruct.reconstruct(PointCloud(sampled(SPHERE, 300)[0]))
    assert surface.method == f"marching cubes ({reason})"
    assert surface.watertight


def test_no_extra_says_what_to_install(without):
    without("pymeshlab", "skimage")
    with pytest.raises(PluginError, match=r"pip install 'polydiff-pointcloud\[mesh\]'"):
        reconstruct.require_extra()


def test_own_normals_are_used(monkeypatch):
    points, normals = sampled(SPHERE, 500)
    monkeypatch.setattr(reconstruct.pgr, "estimate", None)
    surface = reconstruct.reconstruct(PointCloud(points, normals.astype(np.float32)))
    assert (surface.method, surface.euler) == ("screened Poisson", 2)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((1, 3)), "at least 32 points.*there is 1"),
        (np.zeros((31, 3)), "at least 32 points.*there are 31"),
        (np.ones((100, 3)), "on a plane"),
        (np.random.default_rng(0).uniform(size=(100, 3)) * [1, 0, 1], "on a plane"),
    ],
)
def test_what_is_no_solid_is_refused(points, message):
    with pytest.raises(UsageError, match=message):
        reconstruct.reconstruct(PointCloud(points.astype(np.float32)))


def test_strays_go_and_parts_stay():
    leg = trimesh.creation.box((0.1, 1, 0.1)).apply_translation((2, 0, 0))
    crumb = trimesh.creation.box((0.02, 0.02, 0.02)).apply_translation((0, 2, 0))
    whole = trimesh.util.concatenate([SPHERE, leg, crumb])
    kept = Surface(whole.vertices.astype(np.float32), whole.faces.astype(np.int32), "by hand").without_strays()
    assert (kept.pieces, kept.watertight, kept.euler) == (2, True, 4)
    assert len(kept.vertices) == len(SPHERE.vertices) + 8


def test_a_surface_inside_out_is_turned():
    inverted = Surface(SPHERE.vertices.astype(np.float32), SPHERE.faces[:, ::-1].astype(np.int32), "by hand")
    assert inverted.outwards().mesh.volume == pytest.approx(SPHERE.volume, rel=1e-5)


def test_a_hole_is_no_watertight_surface():
    assert not Surface(SPHERE.vertices.astype(np.float32), SPHERE.faces[1:].astype(np.int32), "by hand").watertight


@pytest.fixture(scope="module")
def ball():
    points, _ = sampled(SPHERE, 400)
    return PointCloud(points, colors=((points + 1) / 2).astype(np.float32))


@pytest.mark.parametrize("kind", ["ply", "glb", "obj", "stl"])
def test_files_hold_the_watertight_mesh(ball, kind):
    spec = host().find(FileKindSpec, f"mesh-{kind}", "pointcloud")
    data = host().load(spec)(ball, {"seed": "7"})
    mesh = trimesh.load(io.BytesIO(data), file_type=kind, force="mesh")
    facts = host().load(spec, "facts")(ball)
    assert mesh.is_watertight
    assert (mesh.euler_number, len(mesh.faces)) == (facts["Euler number"], facts["triangles"]) == (2, len(mesh.faces))
    assert facts["watertight"] is True
    assert mesh.volume == pytest.approx(SPHERE.volume, rel=0.05)
    assert (kind == "stl") is (b'"seed": "7"' not in data)


def test_a_mesh_has_the_colours_of_its_cloud(ball):
    surface = mesh_writers.surface_of(ball)
    np.testing.assert_allclose(surface.colors, (surface.vertices + 1) / 2, atol=0.15)
    assert mesh_writers.beyond_stl(ball) == "has no colours"


def test_a_surface_is_made_once_for_its_file_and_what_is_told(monkeypatch, ball):
    mesh_writers.facts(ball)
    monkeypatch.setattr(mesh_writers, "reconstruct", None)
    assert mesh_writers.mesh_stl(ball, {})


def test_stl_of_points_points_to_that_of_meshes():
    with pytest.raises(UsageError, match="'stl'; did you mean 'mesh-stl'"):
        host().find(FileKindSpec, "stl", "pointcloud")
