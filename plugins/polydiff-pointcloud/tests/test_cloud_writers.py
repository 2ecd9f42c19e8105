"""Clouds written, and read back by trimesh, numpy and by hand, with their metadata."""

import io
import json
import struct

import numpy as np
import pytest
import trimesh
from polydiff_pointcloud import writers
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.writers import glb, npy, obj, ply, xyz

METADATA = {"polydiff": "0.1.0", "conditions": '{"label": "Käse 🧀"}', "caption": "two\nlines", "empty": ""}
EVERY = pytest.mark.parametrize("write", [ply, glb, obj, xyz, npy])


def cloud(count=257, *, normals=True, colors=True):
    rng = np.random.default_rng(0)
    unit = rng.standard_normal((count, 3))
    return PointCloud(
        rng.standard_normal((count, 3)).astype(np.float32),
        (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32) if normals else None,
        (rng.integers(0, 256, (count, 3)) / 255).astype(np.float32) if colors else None,
    )


def loaded(data, kind):
    return trimesh.load(io.BytesIO(data), file_type=kind)


def document(data):
    """Take a GLB apart by the specification: the JSON chunk, then the binary one, each a multiple of four bytes."""
    magic, version, length, first, kind = struct.unpack("<IIIII", data[:20])
    assert (magic, version, length, kind) == (0x46546C67, 2, len(data), 0x4E4F534A)
    second, other = struct.unpack("<II", data[20 + first : 28 + first])
    assert (first % 4, second % 4, other, 28 + first + second) == (0, 0, 0x004E4942, len(data))
    return json.loads(data[20 : 20 + first]), data[28 + first :]


def column(parsed, buffer, number):
    accessor = parsed["accessors"][number]
    view = parsed["bufferViews"][accessor["bufferView"]]
    kind = {5126: "<f4", 5125: "<u4"}[accessor["componentType"]]
    width = {"SCALAR": 1, "VEC3": 3}[accessor["type"]]
    return np.frombuffer(buffer, kind, accessor["count"] * width, view["byteOffset"]).reshape(-1, width)


@pytest.mark.parametrize(("write", "kind"), [(ply, "ply"), (glb, "glb"), (xyz, "xyz")])
def test_trimesh_reads_the_points(write, kind):
    content = cloud(colors=kind != "xyz")
    read = loaded(write(content, METADATA), kind)
    if isinstance(read, trimesh.Scene):
        (read,) = read.geometry.values()
    assert isinstance(read, trimesh.PointCloud)
    np.testing.assert_array_equal(np.asarray(read.vertices, np.float32), content.points)


def test_ply_holds_normals_colours_and_metadata():
    content = cloud()
    header, table = ply(content, METADATA).split(b"end_header\n")
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    comments = [json.loads(line.removeprefix("comment ")) for line in lines if line.startswith("comment ")]
    assert {key: value for each in comments for key, value in each.items()} == METADATA
    floats = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    rows = np.frombuffer(table, [*floats, ("red", "u1"), ("green", "u1"), ("blue", "u1")])
    assert [line.split()[2] for line in lines if line.startswith("property")] == list(rows.dtype.names)
    np.testing.assert_array_equal(np.stack([rows[axis] for axis in ("nx", "ny", "nz")], 1), content.normals)
    rgb = np.stack([rows[name] for name in ("red", "green", "blue")], 1)
    np.testing.assert_array_equal(rgb, np.rint(content.colors * 255))


@pytest.mark.parametrize("parts", [{}, {"normals": False}, {"colors": False}, {"normals": False, "colors": False}])
def test_glb_is_as_the_specification_says(parts):
    content = cloud(**parts)
    parsed, buffer = document(glb(content, METADATA))
    assert parsed["asset"]["version"] == "2.0"
    assert parsed["asset"]["extras"] == METADATA
    assert parsed["buffers"] == [{"byteLength": len(buffer)}]
    (primitive,) = parsed["meshes"][0]["primitives"]
    assert primitive["mode"] == 0
    assert "indices" not in primitive
    names = {"POSITION", *(["NORMAL"] if content.normals is not None else [])}
    assert set(primitive["attributes"]) == names | ({"COLOR_0"} if content.colors is not None else set())
    for number in primitive["attributes"].values():
        accessor = parsed["accessors"][number]
        view = parsed["bufferViews"][accessor["bufferView"]]
        assert (view["target"], view["byteOffset"] % 4, accessor["count"]) == (34962, 0, len(content))
        assert view["byteLength"] == 12 * len(content)
    positions = parsed["accessors"][primitive["attributes"]["POSITION"]]
    np.testing.assert_array_equal(np.float32(positions["min"]), content.points.min(0))
    np.testing.assert_array_equal(np.float32(positions["max"]), content.points.max(0))
    np.testing.assert_array_equal(column(parsed, buffer, primitive["attributes"]["POSITION"]), content.points)
    if content.normals is not None:
        lengths = np.linalg.norm(column(parsed, buffer, primitive["attributes"]["NORMAL"]).astype(np.float64), axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_glb_has_colours_in_linear_light():
    grey = PointCloud(np.zeros((3, 3), np.float32), colors=np.float32([[0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]]))
    parsed, buffer = document(glb(grey, {}))
    colors = column(parsed, buffer, parsed["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"])
    np.testing.assert_allclose(colors[:, 0], [0, 0.2140411, 1], atol=1e-6)


def test_text_reads_back_bit_for_bit():
    content = cloud(colors=False)
    lines = obj(content, METADATA).decode("ascii").splitlines()
    comments = [json.loads(line[2:]) for line in lines if line.startswith("# ")]
    assert {key: value for each in comments for key, value in each.items()} == METADATA
    rows = [line.removeprefix("v ").split() for line in lines if not line.startswith("#")]
    np.testing.assert_array_equal(np.array(rows, np.float32), content.points)
    np.testing.assert_array_equal(np.loadtxt(io.BytesIO(xyz(content, METADATA)), np.float32), content.points)


def test_obj_has_colours_behind_the_coordinates():
    content = cloud()
    rows = [line.split()[1:] for line in obj(content, {}).decode().splitlines()]
    np.testing.assert_array_equal(np.array(rows, np.float32), np.hstack([content.points, content.colors]))


def test_npy_is_a_plain_array():
    read = np.load(io.BytesIO(npy(cloud(), METADATA)), allow_pickle=False)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, cloud().points)


@EVERY
def test_the_same_cloud_gives_the_same_bytes(write):
    assert write(cloud(), METADATA) == write(cloud(), METADATA)


@EVERY
def test_one_point_is_a_cloud(write):
    assert write(cloud(1), METADATA)


def test_what_a_format_does_not_hold_is_told():
    assert writers.beyond_coordinates(cloud(normals=False, colors=False)) is None
    assert writers.beyond_coordinates(cloud()) == "has no normals and no colours"
    assert writers.beyond_coordinates(cloud(normals=False)) == "has no colours"
    assert writers.beyond_colors(cloud()) == "has no normals"
    assert writers.beyond_colors(cloud(normals=False)) is None
