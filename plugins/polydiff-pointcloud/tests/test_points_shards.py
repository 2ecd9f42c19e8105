"""Shapes in tar shards."""

import json
import tarfile

import numpy as np
import pytest
import trimesh
from polydiff_pointcloud.folder import Folder, WebDataset

from polydiff.data.shards import Shards
from polydiff.errors import DataError


@pytest.fixture
def shapes(tmp_path):
    folder = tmp_path / "shapes"
    folder.mkdir()
    box = trimesh.creation.box()
    for kind in ("ply", "obj", "glb", "stl", "off", "3mf"):
        box.export(folder / f"box-{kind}.{kind}")
    points = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    np.save(folder / "points.npy", points)
    np.savez_compressed(folder / "packed.npz", points=points)
    np.savetxt(folder / "text.xyz", points)
    trimesh.PointCloud(points).export(folder / "cloud.ply")
    (folder / "bad.off").write_text("OFF\n8 12 0\n")
    return folder


def archive_of(folder, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return Shards((f"{tmp_path}/a.tar",))


def test_an_archive_holds_what_the_folder_holds(shapes, tmp_path):
    folder, shards = Folder(shapes, points=200), WebDataset(archive_of(shapes, tmp_path), points=200)
    assert len(shards) == len(folder) >= 10
    assert shards.unreadable == [f"a.tar/{line}" for line in folder.unreadable]
    for index in range(len(folder)):
        if folder.name(index) == "bad.off":
            continue
        one, other = shards[index], folder[index]
        assert one.name == f"a.tar/{other.name}"
        assert np.array_equal(one.content.points, other.content.points)


def test_a_mesh_in_an_archive_names_no_other_file(shapes, tmp_path):
    (tmp_path / "secret.bin").write_bytes(b"secret")
    document = {"asset": {"version": "2.0"}, "buffers": [{"uri": "../secret.bin", "byteLength": 6}]}
    (shapes / "named.gltf").write_text(json.dumps(document))
    (shapes / "textured.obj").write_text("mtllib textured.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    shards = WebDataset(archive_of(shapes, tmp_path), points=10, colors=False)
    reason = "a mesh in an archive or a table has to be whole in itself"
    assert any("named.gltf" in line and reason in line for line in shards.unreadable)
    coloured = WebDataset(Shards((f"{tmp_path}/a.tar",)), points=10, colors=True)
    place = next(i for i in range(len(coloured)) if coloured.name(i) == "a.tar/textured.obj")
    with pytest.raises(DataError, match=rf"names 'textured\.mtl'; {reason}"):
        coloured[place]
