"""Meshes and points of every format, as the cloud that they describe."""

import json

import numpy as np
import pytest
import trimesh
from PIL import Image
from polydiff_pointcloud import writers
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.folder import Folder
from polydiff_pointcloud.reading import SUFFIXES, read_cloud
from polydiff_pointcloud.reading.options import Options
from scipy import stats

from polydiff.errors import DataError, UsageError

RNG = np.random.default_rng(0)
NORMALS = RNG.standard_normal((50, 3))
CLOUD = PointCloud(
    RNG.standard_normal((50, 3)).astype(np.float32),
    (NORMALS / np.linalg.norm(NORMALS, axis=1, keepdims=True)).astype(np.float32),
    RNG.random((50, 3)).astype(np.float32),
)
AS_IS = Options(normalize="none")
MESHES = ["3mf", "glb", "gltf", "obj", "off", "ply", "stl"]


def export(mesh, folder, kind):
    """Write a mesh, and what belongs to it; give the path of the file."""
    if kind == "gltf":
        for name, content in mesh.export(file_type="gltf").items():
            (folder / name).write_bytes(content)
        return folder / "model.gltf"
    path = folder / f"a.{kind}"
    mesh.export(path)
    return path


@pytest.mark.parametrize("kind", MESHES)
def test_meshes_are_sampled_uniformly_on_their_surface(tmp_path, kind):
    box = trimesh.creation.box((2, 4, 6))
    cloud = read_cloud(export(box, tmp_path, kind), Options(20000, normals=True, normalize="none"))
    assert cloud.points.dtype == cloud.normals.dtype == np.float32
    distance = np.abs(cloud.points) - (1, 2, 3)
    assert np.abs(distance.max(axis=1)).max() < 1e-5
    shares = [(np.abs(distance[:, axis]) < 1e-6).mean() for axis in range(3)]
    assert shares == pytest.approx([24 / 44, 12 / 44, 8 / 44], abs=0.015)  # areas of the three pairs of sides
    side = np.abs(cloud.normals).argmax(axis=1)
    assert np.allclose(np.einsum("nc,nc->n", cloud.normals, cloud.points), np.array([1, 2, 3])[side])


@pytest.mark.parametrize("kind", ["3mf", "glb", "gltf"])
def test_scenes_are_one_shape_with_their_parts_in_place(tmp_path, kind):
    scene = trimesh.Scene()
    ball = trimesh.creation.icosphere(3)
    for place, size in ((-5, 1), (0, 1), (7, 2)):
        matrix = trimesh.transformations.scale_matrix(size)
        matrix[0, 3] = place
        scene.add_geometry(ball, geom_name="ball", transform=matrix)
    cloud = read_cloud(export(scene, tmp_path, kind), Options(6000, normalize="none"))
    centers, radii = np.array([-5, 0, 7]), np.array([1, 1, 2])
    distances = np.linalg.norm(cloud.points[:, None] - centers[:, None] * (1, 0, 0), axis=2) / radii
    assert np.abs(distances - 1).min(axis=1).max() < 0.02
    shares = np.bincount(np.abs(distances - 1).argmin(axis=1)) / 6000
    assert shares == pytest.approx([1 / 6, 1 / 6, 4 / 6], abs=0.02)


def test_a_mirrored_part_keeps_its_normals_outward(tmp_path):
    mirrored = np.diag([-1.0, 1, 1, 1])
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.icosphere(3), transform=mirrored)
    cloud = read_cloud(export(scene, tmp_path, "glb"), Options(100, normals=True))
    assert (np.einsum("nc,nc->n", cloud.points, cloud.normals) > 0.9).all()


def test_wrong_normals_in_a_file_do_not_matter(tmp_path):
    content = bytearray(trimesh.creation.icosphere(2).export(file_type="stl"))
    for start in range(84, len(content), 50):
        content[start : start + 12] = np.float32([0, 0, 0]).tobytes()
    path = tmp_path / "a.stl"
    path.write_bytes(content)
    cloud = read_cloud(path, Options(100, normals=True, normalize="none"))
    assert (np.einsum("nc,nc->n", cloud.points, cloud.normals) > 0.9).all()


@pytest.mark.parametrize("kind", ["ply", "glb", "obj", "xyz", "npy"])
def test_generated_files_read_back_as_the_points_that_they_are(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(getattr(writers, kind)(CLOUD, {"seed": "0"}))
    assert np.array_equal(read_cloud(path, AS_IS).points, CLOUD.points)


@pytest.mark.parametrize(("kind", "error"), [("ply", 0.5 / 255), ("obj", 0.5 / 255), ("glb", 0.03)])
def test_generated_colours_read_back(tmp_path, kind, error):
    """To 8 bits, which in a glTF are of linear intensity: darker ones are coarser."""
    path = tmp_path / f"a.{kind}"
    path.write_bytes(getattr(writers, kind)(CLOUD, {}))
    colors = read_cloud(path, Options(normalize="none", colors=True)).colors
    assert np.abs(colors - CLOUD.colors).max() < error + 1e-6


def test_generated_normals_read_back(tmp_path):
    path = tmp_path / "a.ply"
    path.write_bytes(writers.ply(CLOUD, {}))
    cloud = read_cloud(path, Options(normalize="none", normals=True, colors=True))
    assert np.abs(cloud.normals - CLOUD.normals).max() < 1e-6


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_points_of_ply_in_every_order_of_bytes(tmp_path, order):
    """The vertices come second and have a property that nobody asks for, and types of all sizes."""
    head = (
        f"ply\nformat {order} 1.0\ncomment hello\nelement camera 2\nproperty double f\nelement vertex 50\n"
        "property double x\nproperty float y\nproperty uchar quality\nproperty double z\n"
        "property ushort red\nproperty ushort green\nproperty ushort blue\nend_header\n"
    )
    sign = ">" if "big" in order else "<"
    fields = [(name, sign + kind) for name, kind in zip(
        ("x", "y", "quality", "z", "red", "green", "blue"), ("f8", "f4", "u1", "f8", "u2", "u2", "u2"), strict=True
    )]  # fmt: skip
    table = np.zeros(50, fields)
    for name, column in zip("xyz", CLOUD.points.T, strict=True):
        table[name] = column
    for name, column in zip(("red", "green", "blue"), CLOUD.colors.T, strict=True):
        table[name] = np.round(65535 * column)
    if order == "ascii":
        body = "".join(
            f"{row}\n" for row in ["1.5", "2.5", *(" ".join(map(str, row)) for row in table.tolist())]
        ).encode()
    else:
        body = np.array([1.5, 2.5], sign + "f8").tobytes() + table.tobytes()
    path = tmp_path / "a.ply"
    path.write_bytes(head.encode() + body)
    cloud = read_cloud(path, Options(normalize="none", colors=True))
    assert np.array_equal(cloud.points, CLOUD.points)
    assert np.abs(cloud.colors - CLOUD.colors).max() < 1e-5


@pytest.mark.parametrize("dtype", [">f4", "<f8", "<f2", "<i4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_arrays_of_every_type_and_order(tmp_path, dtype, order, kind):
    array = np.asarray(10 * CLOUD.points, dtype, order=order)
    path = tmp_path / f"a.{kind}"
    np.save(path, array) if kind == "npy" else np.savez(path, points=array, normals=CLOUD.normals, unused="x")
    assert np.array_equal(read_cloud(path, AS_IS).points, array.astype(np.float32))
    some = read_cloud(path, Options(20, normalize="none")).points
    assert len({row.tobytes() for row in some} & {row.tobytes() for row in array.astype(np.float32)}) == 20


def test_points_are_kept_from_all_over_a_file(tmp_path):
    rows = np.arange(3 * 50_000, dtype=np.float64).reshape(-1, 3)
    np.save(tmp_path / "a.npy", rows)
    kept = read_cloud(tmp_path / "a.npy", Options(2000, normalize="none")).points[:, 0] / 150_000
    assert (np.diff(kept) > 0).all()
    assert stats.kstest(kept, "uniform").pvalue > 0.01


def test_the_parts_of_an_archive_belong_together(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, colors=np.uint8(np.round(255 * CLOUD.colors)), points=CLOUD.points, normals=CLOUD.normals)
    cloud = read_cloud(path, Options(20, normals=True, colors=True, normalize="none"))
    place = {row.tobytes(): index for index, row in enumerate(CLOUD.points)}
    places = [place[row.tobytes()] for row in cloud.points]
    assert np.abs(cloud.normals - CLOUD.normals[places]).max() < 1e-6
    assert np.abs(cloud.colors - CLOUD.colors[places]).max() < 0.003


@pytest.mark.parametrize(("options", "columns"), [
    ({}, [0, 1, 2]),
    ({}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ({"normals": True}, [0, 1, 2, 3, 4, 5]),
    ({"colors": True}, [0, 1, 2, 6, 7, 8]),
    ({"normals": True, "colors": True}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
])  # fmt: skip
@pytest.mark.parametrize("separator", [" ", ",", "\t", " ; "])
@pytest.mark.parametrize("full", [1, 255])
def test_columns_of_text(tmp_path, options, columns, separator, full):
    table = np.concatenate([CLOUD.points, CLOUD.normals, np.round(255 * CLOUD.colors) / 255 * full], axis=1)[:, columns]
    rows = [separator.join(map(repr, row)) for row in table.astype(np.float64).tolist()]
    path = tmp_path / "a.xyz"
    path.write_text("# x y z\n\n" + "\n".join(rows) + "\r\n// the end\n")
    cloud = read_cloud(path, Options(normalize="none", **options))
    assert np.array_equal(cloud.points, CLOUD.points)
    assert (cloud.normals is None) == ("normals" not in options)
    assert (cloud.colors is None) == ("colors" not in options)
    if cloud.normals is not None:
        assert np.abs(cloud.normals - CLOUD.normals).max() < 1e-6
    if cloud.colors is not None:
        assert np.abs(cloud.colors - CLOUD.colors).max() < 0.003


def striped():
    """Make a unit square in the plane z = 0 whose left half is orange and whose right half blue."""
    picture = Image.new("RGB", (64, 64), (255, 128, 0))
    picture.paste((0, 0, 255), (32, 0, 64, 64))
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture)
    visual = trimesh.visual.TextureVisuals(uv=corners[:, :2], material=material)
    return trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)


@pytest.mark.parametrize("kind", ["glb", "gltf", "obj"])
def test_colours_of_textures(tmp_path, kind):
    cloud = read_cloud(export(striped(), tmp_path, kind), Options(500, colors=True, normalize="none"))
    left = cloud.points[:, 0] < 0.48
    assert np.abs(cloud.colors[left] - (1, 128 / 255, 0)).max() < 0.01
    assert np.abs(cloud.colors[cloud.points[:, 0] > 0.52] - (0, 0, 1)).max() < 0.01


def test_a_texture_may_lie_elsewhere_in_the_folder_of_data_but_not_beyond(tmp_path):
    shape = tmp_path / "data" / "chair" / "models"
    shape.mkdir(parents=True)
    path = export(striped(), shape, "obj")
    (shape.parent / "images").mkdir()
    (shape / "material_0.png").rename(shape.parent / "images" / "a.png")
    library = shape / "material.mtl"
    library.write_text(library.read_text().replace("material_0.png", "../images/a.png"))
    assert Folder(tmp_path / "data", 10, colors=True)[0].content.colors is not None
    with pytest.raises(DataError, match=r"names '\.\./images/a.png', which lies outside its folder"):
        read_cloud(path, Options(10, colors=True))


@pytest.mark.parametrize(("kind", "of"), [("ply", "face"), ("ply", "vertex"), ("obj", "vertex")])
def test_colours_of_faces_and_vertices(tmp_path, kind, of):
    ball = trimesh.creation.icosphere(3)
    centers = ball.triangles_center if of == "face" else ball.vertices
    setattr(ball.visual, f"{of}_colors", np.round(255 * (centers + 1) / 2).astype(np.uint8))
    cloud = read_cloud(export(ball, tmp_path, kind), Options(500, colors=True, normalize="none"))
    assert np.abs(cloud.colors - (cloud.points + 1) / 2).max() < 0.07


def test_colours_of_a_gltf_are_linear(tmp_path):
    """A colour factor of 0.2140 is a middle grey, 0.5, in sRGB."""
    ball = trimesh.creation.icosphere(1)
    document = json.loads(ball.export(file_type="gltf")["model.gltf"])
    for name, content in ball.export(file_type="gltf").items():
        (tmp_path / name).write_bytes(content)
    document["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [0.2140, 1, 0, 1]}}]
    document["meshes"][0]["primitives"][0]["material"] = 0
    (tmp_path / "model.gltf").write_text(json.dumps(document))
    colors = read_cloud(tmp_path / "model.gltf", Options(10, colors=True)).colors
    assert np.abs(colors - (0.5, 1, 0)).max() < 0.004


def test_parts_of_several_colours(tmp_path):
    scene = trimesh.Scene()
    for place, color in ((0, [255, 0, 0, 255]), (5, [0, 255, 0, 255])):
        ball = trimesh.creation.icosphere(2)
        ball.visual.vertex_colors = np.tile(np.uint8(color), (len(ball.vertices), 1))
        scene.add_geometry(ball, transform=trimesh.transformations.translation_matrix((place, 0, 0)))
    cloud = read_cloud(export(scene, tmp_path, "glb"), Options(200, colors=True, normalize="none"))
    one = read_cloud(tmp_path / "a.glb", Options(1, colors=True))  # one part or the other has no point
    assert one.colors.max() == 1
    expected = np.where(cloud.points[:, :1] < 2.5, (1.0, 0, 0), (0, 1.0, 0))
    assert np.abs(cloud.colors - expected).max() < 1e-6


@pytest.mark.parametrize("kind", [*MESHES, "npy"])
def test_shapes_are_normalised(tmp_path, kind):
    box = trimesh.creation.box((2, 4, 6), transform=trimesh.transformations.translation_matrix((10, 20, 30)))
    if kind == "npy":
        path = tmp_path / "a.npy"
        np.save(path, box.vertices)
    else:
        path = export(box, tmp_path, kind)
    sphere, longest = (read_cloud(path, Options(20000, normalize=how)).points for how in ("unit-sphere", "unit-box"))
    assert np.linalg.norm(sphere, axis=1).max() == pytest.approx(1, abs=0.02)
    assert np.abs(sphere).max(axis=0) == pytest.approx(np.array([1, 2, 3]) / 14**0.5, abs=0.01)
    assert np.abs(longest).max(axis=0) == pytest.approx([1 / 3, 2 / 3, 1], abs=0.01)


@pytest.mark.parametrize("kind", ["stl", "ply"])
def test_shapes_are_turned_upright(tmp_path, kind):
    """A cone that points along z points along y, and is no mirror image."""
    path = tmp_path / f"a.{kind}"
    if kind == "stl":
        trimesh.creation.cone(1, 3).export(path)
    else:
        path.write_bytes(writers.ply(CLOUD, {}))
    z, y = (read_cloud(path, Options(300, normals=True, normalize="none", up=up)) for up in ("z", "y"))
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
    assert np.linalg.det(turn) == 1
    assert np.abs(z.points - y.points @ turn).max() < 1e-6
    assert np.abs(z.normals - y.normals @ turn).max() < 1e-6
    if kind == "stl":
        assert z.points[:, 1].max() > 2.5
        assert z.points[:, 1].min() == pytest.approx(0, abs=1e-6)


def test_vertices_without_triangles_do_not_count(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 99 99 99\nf 1 2 3\n")
    assert np.abs(read_cloud(tmp_path / "a.obj", Options(100, normalize="unit-box")).points[:, :2]).max() > 0.9


def test_a_file_is_the_same_points_each_time_and_wherever_it_lies(tmp_path):
    (tmp_path / "b").mkdir()
    paths = [export(trimesh.creation.box(), folder, "stl") for folder in (tmp_path, tmp_path / "b")]
    once, again, elsewhere = (read_cloud(path, Options(50)).points for path in (paths[0], *paths))
    assert np.array_equal(once, again)
    assert np.array_equal(once, elsewhere)
    renamed = paths[0].rename(tmp_path / "c.stl")
    assert not np.array_equal(once, read_cloud(renamed, Options(50)).points)


def test_options_out_of_range_are_refused():
    with pytest.raises(UsageError, match="points is 0; a shape needs at least 1 point"):
        Options(points=0)
    with pytest.raises(UsageError, match="max_points is 0; it must be at least 1"):
        Options(max_points=0)


def test_all_kinds_are_tested():
    assert {suffix[1:] for suffix in SUFFIXES} == {*MESHES, "npy", "npz", "xyz"}
