"""Bad shapes among good ones: each is reported by name and with its reason, and none is read that should not be."""

import base64
import io
import json
import re
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import trimesh
from PIL import Image
from polydiff_pointcloud.folder import Folder
from polydiff_pointcloud.reading import SUFFIXES, read_cloud
from polydiff_pointcloud.reading.options import Options

from polydiff.errors import DataError

BOX = trimesh.creation.box()


def ply(vertices, faces="", count=None, kind="float", extra=""):
    """Give a PLY of text."""
    rows = vertices.splitlines()
    return (
        f"ply\nformat ascii 1.0\nelement vertex {count or len(rows)}\n"
        + "".join(f"property {kind} {axis}\n" for axis in "xyz")
        + extra
        + (f"element face {len(faces.splitlines())}\nproperty list uchar int vertex_indices\n" if faces else "")
        + "end_header\n"
        + "".join(f"{row}\n" for row in (*rows, *faces.splitlines()))
    )


def gltf(buffer="data:application/octet-stream;base64,", image=None, **more):
    """Give a glTF of one triangle; its buffer is in the file when no other is named."""
    data = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32).tobytes()
    uri = buffer + base64.b64encode(data).decode() if buffer.startswith("data:") else buffer
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"uri": uri, "byteLength": 36}],
        **({"images": [{"uri": image}]} if image else {}),
        **more,
    }
    return json.dumps(document)


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy(array, allow_pickle=False):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def header(shape, dtype="<f4"):
    """Give the header of an `.npy` whose numbers are not there."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


POINTS = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
STL = BOX.export(file_type="stl")
GLB = BOX.export(file_type="glb")
PLY = BOX.export(file_type="ply")
CLOUD = trimesh.PointCloud(POINTS).export(file_type="ply")
TRIANGLE = "0 0 0\n1 0 0\n0 1 0"

AT_THE_SCAN = [
    ("no byte.ply", b"", "is empty"),
    ("no byte.stl", b"", "is empty"),
    ("no byte.obj", b"", "is empty"),
    ("no byte.off", b"", "is empty"),
    ("no byte.xyz", b"", "is empty: it has no points"),
    ("no byte.npy", b"", "is no NumPy array, or damaged"),
    ("no byte.npz", b"", "is no ZIP archive, or damaged or truncated"),
    ("no byte.3mf", b"", "is no ZIP archive, or damaged or truncated"),
    ("no byte.glb", b"", "is no GLB file"),
    ("no byte.gltf", b"", "is no glTF, or damaged: JSONDecodeError"),
    ("text.ply", "I am no shape", "is no PLY file"),
    ("text.stl", "I am no shape", "is no STL file"),
    ("text.off", "I am no shape", "is no OFF file, or of a kind that is not read"),
    ("text.xyz", "I am no shape", "is no text of numbers: could not convert string to float: b'I'"),
    ("text.npy", "I am no shape", "is no NumPy array, or damaged"),
    ("text.glb", "I am no shape", "is no GLB file"),
    ("binary.obj", GLB, "is no OBJ file: it is no text"),
    ("binary.xyz", bytes(5000), "is no text: a line is longer than 4096 bytes"),
    ("nothing.ply", ply("", extra=""), "is empty: it has no vertices"),
    ("nothing.off", "OFF\n0 0 0\n", "is empty: it has no vertices"),
    ("nothing.stl", bytes(84), "is empty: it has no vertices"),
    ("nothing.npy", npy(POINTS[:0]), "is empty: it has no points"),
    ("nothing.gltf", '{"asset": {"version": "2.0"}}', "is empty: it has no vertices"),
    ("nothing.npz", npz(), "has no array 'points'; it has none"),
    ("header.ply", PLY[:60], "is damaged or truncated: its header has no end"),
    ("cut.ply", CLOUD[:-100], "is truncated: 100 of the 1200 bytes of its points are missing"),
    ("cut.stl", STL[:-1], "is truncated: 1 of its 684 bytes are missing"),
    ("cut text.stl", BOX.export(file_type="stl_ascii")[:500], "is truncated, or no STL file: its text has no end"),
    ("cut.glb", GLB[:-10], "is truncated: 10 of its"),
    ("cut.npy", npy(POINTS)[:-5], "is truncated: 5 of the 1200 bytes of its array are missing"),
    ("cut.npz", npz(points=POINTS)[:-40], "is no ZIP archive, or damaged or truncated"),
    ("cut.off", "OFF\n8", "is damaged or truncated: it does not say how many vertices and faces it has"),
    ("flat.npy", npy(POINTS[:, :2]), "has the shape (100, 2); (N, 3) is needed"),
    ("wide.npy", npy(np.ones((4, 6))), "has the shape (4, 6); (N, 3) is needed"),
    ("one.npy", npy(POINTS[0]), "has the shape (3); (N, 3) is needed"),
    ("objects.npy", npy(np.array([[1, 2, 3]], object), True), "holds values of the type 'object'; numbers are read"),
    ("records.npy", npy(np.zeros((2, 3), "f4,f4")), "holds values of the type"),
    ("complex.npy", npy(np.ones((2, 3), complex)), "holds values of the type 'complex128'; numbers are read"),
    ("objects.npz", npz(points=POINTS, other=POINTS, more=POINTS[:3]), None),
    (
        "short.npz",
        zipped({"points.npy": header((100, 3)) + bytes(1199)}),
        "is damaged: points.npy is shorter than its array",
    ),
    ("unnamed.npz", npz(a=POINTS, b=POINTS), "has no array 'points'; it has a, b"),
    ("no x.ply", ply(TRIANGLE).replace("float x", "float u"), "has vertices without x"),
    ("type.ply", ply(TRIANGLE, kind="quad"), "has a header that is no PLY's: 'quad'"),
    ("two columns.xyz", "1 2\n3 4\n", "has 2 numbers in a row; 3 coordinates are needed"),
    ("version.gltf", gltf(asset={"version": "1.0"}), "is of version 1.0 of glTF; 2 is read"),
    (
        "draco.gltf",
        gltf(extensionsRequired=["KHR_draco_mesh_compression"]),
        "is compressed with KHR_draco_mesh_compression, which is not read",
    ),
    ("list.gltf", "[1, 2]", "is no glTF, or damaged: TypeError"),
    ("deep.gltf", "[" * 100_000, "is no glTF, or damaged: RecursionError"),
    ("no model.3mf", zipped({"a.txt": "hello"}), "is no 3MF file: it has no 3D/3dmodel.model"),
    # Sizes: what a header says is enough to refuse.
    (
        "large.npy",
        header((30_000_000, 3)),
        "has 30000000 points, more than 20000000; data.source.max_points allows more",
    ),
    ("large.ply", ply(TRIANGLE, count=10**9), "has 1000000000 vertices, more than 20000000"),
    ("large.off", "OFF\n99999999 1 0\n", "has 99999999 vertices, more than 20000000"),
    ("large.gltf", gltf(accessors=[{"count": 10**12}]), "has an array of 1000000000000, more than 120000000"),
    (
        "often.gltf",
        gltf(nodes=[{"mesh": 0}] * 7, accessors=[{"count": 3_000_000}]),
        "has 21000000 vertices, more than 20000000",
    ),
    # What leads out of the folder.
    ("up.gltf", gltf("../secret.bin"), "names '../secret.bin', which lies outside its folder"),
    ("coded.gltf", gltf("%2e%2e/secret.bin"), "names '%2e%2e/secret.bin', which lies outside its folder"),
    ("root.gltf", gltf("/etc/passwd"), "names '/etc/passwd', which lies outside its folder"),
    ("image.gltf", gltf(image="../secret.png"), "names '../secret.png', which lies outside its folder"),
    ("web.gltf", gltf("https://example.org/a.bin"), "names 'https://example.org/a.bin'; only files in its folder"),
    ("image web.gltf", gltf(image="http://example.org/a.png"), "names 'http://example.org/a.png'; only files in its"),
    ("scheme.gltf", gltf("file:///etc/passwd"), "names 'file:///etc/passwd'; only files in its folder are read"),
    ("absent.gltf", gltf("absent.bin"), "names 'absent.bin', which is no file in its folder"),
    # Archive bombs.
    (
        "bomb.3mf",
        zipped({"3D/3dmodel.model": bytes(50_000_000)}),
        "is refused: 3D/3dmodel.model would expand 1028-fold, to 50000000 bytes",
    ),
]


@pytest.fixture
def folder(tmp_path):
    """Make a folder of one good shape, and a file outside."""
    (tmp_path / "secret.bin").write_bytes(bytes(36))
    (tmp_path / "secret.png").write_bytes(b"")
    data = tmp_path / "data"
    data.mkdir()
    BOX.export(data / "good.stl")
    return data


def put(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(("name", "content", "reason"), AT_THE_SCAN, ids=[name for name, *_ in AT_THE_SCAN])
def test_what_a_header_shows_is_reported_at_the_scan(folder, name, content, reason):
    put(folder / name, content)
    source = Folder(folder, points=10)
    if reason is None:
        assert len(source) == 2
        return
    (line,) = source.unreadable
    assert line.startswith(f"{name}: {reason}")
    assert "\n" not in line
    assert [source.name(index) for index in range(len(source))] == ["good.stl"]


WHEN_READ = [
    ("nan.ply", ply("0 0 0\n1 0 0\n0 nan 0", "3 0 1 2"), "has a vertex at (0, nan, 0), which is not finite"),
    ("nan points.ply", ply("0 0 0\n1 0 0\n0 nan 0"), "has a point at (0, nan, 0), which is not finite"),
    ("nan.stl", STL[:100] + np.float32("nan").tobytes() + STL[104:], "has a vertex at ("),
    ("inf.xyz", "0 0 0\n1 inf 2\n", "has a point at (1, inf, 2), which is not finite"),
    ("inf.npy", npy(np.where(POINTS[7, 1] == POINTS, -np.inf, POINTS)), "has a point at ("),
    ("inf.obj", "v 0 0 0\nv inf 0 0\nv 0 1 0\nf 1 2 3\n", "has a vertex at (inf, 0, 0), which is not finite"),
    ("no area.ply", ply("0 0 0\n1 1 1\n2 2 2", "3 0 1 2"), "has a surface without area"),
    ("no extent.ply", ply("5 5 5\n5 5 5\n5 5 5", "3 0 1 2"), "all of its points are in one place"),
    ("one point.xyz", "1 2 3\n", "all of its points are in one place"),
    ("index.ply", ply(TRIANGLE, "3 0 1 7"), ""),
    (
        "index.off",
        "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n",
        "cannot be decoded: ValueError: OFF file has a face index",
    ),
    ("index.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", ""),
    ("empty.obj", "# nothing\n", ""),
    ("fewer faces.off", "OFF\n3 2 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "is truncated: 1 of its 2 faces are missing"),
    ("fewer vertices.ply", ply(TRIANGLE, count=5), "is truncated: 2 of 5 points are missing"),
    ("cut mesh.ply", PLY[:-30], ""),
    ("uneven.xyz", "0 0 0\n1 2\n", "has rows of 2 and of 3 numbers"),
    ("words.xyz", "0 0 0\n1 two 3\n", "holds something else than numbers"),
    ("short.gltf", gltf("short.bin"), ""),
    ("huge.npy", npy(np.array([[1e300, 0, 0], [0, 1, 0]])), None),
    ("not xml.3mf", zipped({"3D/3dmodel.model": "hello"}), "cannot be decoded: XMLSyntaxError"),
    ("broken text.stl", "solid\nfacet vertex 1 2 x\nvertex 1 2 3\nvertex 0 0 1\nendsolid\n", ""),
]


@pytest.mark.parametrize(("name", "content", "reason"), WHEN_READ, ids=[name for name, *_ in WHEN_READ])
def test_what_reading_shows_is_one_line_with_the_name(folder, name, content, reason):
    put(folder / name, content)
    put(folder / "short.bin", bytes(20))
    source = Folder(folder, points=100)
    (index,) = [index for index in range(len(source)) if source.name(index) == name]
    if reason is None:
        assert np.isfinite(source[index].content.points).all()
        return
    with pytest.raises(DataError, match=re.escape(f"{name}: {reason}")) as raised:
        source[index]
    assert "\n" not in str(raised.value)


def test_coordinates_beyond_floats_are_refused_unless_they_are_normalised(tmp_path):
    for content in (
        npy(np.array([[1e300, 0, 0], [0, 1, 0]])),
        ply("0 0 0\n1e300 0 0\n0 1e300 0", "3 0 1 2", kind="double"),
    ):
        path = put(tmp_path / f"a.{'npy' if content[:1] == bytes([0x93]) else 'ply'}", content)
        assert np.isfinite(read_cloud(path).points).all()
        with pytest.raises(DataError, match="beyond 3e38, the range of 32-bit floats"):
            read_cloud(path, Options(normalize="none"))


def test_a_mesh_of_one_triangle_is_sampled(tmp_path):
    cloud = read_cloud(
        put(tmp_path / "one.ply", ply(TRIANGLE, "3 0 1 2")), Options(1000, normals=True, normalize="none")
    )
    assert len(cloud) == 1000
    assert (cloud.points[:, :2] >= 0).all()
    assert (cloud.points[:, :2].sum(axis=1) <= 1 + 1e-6).all()
    assert np.abs(cloud.points[:, :2].mean(axis=0) - 1 / 3).max() < 0.03
    assert np.array_equal(cloud.normals, np.tile(np.float32([0, 0, 1]), (1000, 1)))


@pytest.mark.parametrize("suffix", ["npy", "ply", "xyz"])
def test_above_the_limit_a_file_is_refused_and_below_it_works(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    content = {"npy": npy(POINTS), "ply": CLOUD, "xyz": "\n".join(" ".join(map(str, row)) for row in POINTS)}[suffix]
    put(path, content)
    assert len(read_cloud(path, Options(max_points=100))) == 100
    with pytest.raises(DataError, match=r"has 100 (points|vertices), more than 99; data.source.max_points allows more"):
        read_cloud(path, Options(max_points=99))


@pytest.mark.parametrize("suffix", ["npy", "ply", "npz"])
def test_ten_million_points_are_thinned_in_little_memory(tmp_path, suffix):
    count = 10_000_000
    path, block = tmp_path / f"large.{suffix}", np.random.default_rng(0).random((10_000, 3), np.float32)
    head = {
        "npy": header((count, 3)),
        "npz": header((count, 3)),
        "ply": ply(TRIANGLE, count=count).replace("ascii", "binary_little_endian").partition("end_header\n")[0].encode()
        + b"end_header\n",
    }[suffix]
    if suffix == "npz":
        with zipfile.ZipFile(path, "w") as archive, archive.open("points.npy", "w", force_zip64=True) as file:
            for part in (head, *[block.tobytes()] * 1000):
                file.write(part)
    else:
        with path.open("wb") as file:
            for part in (head, *[block.tobytes()] * 1000):
                file.write(part)
    tracemalloc.start()
    cloud = read_cloud(path, Options(points=5000, normalize="none"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    path.unlink()
    assert len(cloud) == 5000
    assert peak < 30_000_000
    assert np.abs(cloud.points.mean(axis=0) - block.mean(axis=0)).max() < 0.03
    known = {row.tobytes() for row in block}
    assert all(row.tobytes() in known for row in cloud.points)


def test_an_archive_whose_directory_lies_is_cut_at_what_it_says(tmp_path):
    whole = bytearray(npz(points=np.zeros((1_000_000, 3), np.float32)))
    place = whole.rindex(b"PK\x01\x02")
    whole[place + 24 : place + 28] = struct.pack("<I", 200)
    with pytest.raises(DataError, match="is no ZIP archive, or damaged or truncated"):
        read_cloud(put(tmp_path / "a.npz", bytes(whole)))
    model = bytearray(zipped({"3D/3dmodel.model": bytes(50_000_000)}))
    place = model.rindex(b"PK\x01\x02")
    model[place + 24 : place + 28] = struct.pack("<I", 200)
    tracemalloc.start()
    with pytest.raises(DataError, match="is no ZIP archive, or damaged or truncated"):
        read_cloud(put(tmp_path / "a.3mf", bytes(model)))
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_parts_of_an_archive_differ_in_number(tmp_path):
    path = put(tmp_path / "a.npz", npz(points=POINTS, normals=POINTS[:7]))
    assert len(read_cloud(path)) == 100
    with pytest.raises(DataError, match="has 100 points, 7 normals; as many are needed"):
        read_cloud(path, Options(normals=True))


@pytest.mark.parametrize(
    "library", ["../secret.mtl", "/etc/passwd", "http://example.org/a.mtl", "absent.mtl", "link.mtl"]
)
def test_an_obj_does_not_reach_out_of_its_folder(tmp_path, library, monkeypatch):
    (tmp_path / "secret.mtl").write_text("newmtl a\nKd 1 0 0\n")
    data = tmp_path / "data"
    data.mkdir()
    (data / "link.mtl").symlink_to(tmp_path / "secret.mtl")
    path = put(data / "a.obj", f"mtllib {library}\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl a\nf 1 2 3\n")
    assert len(read_cloud(path, Options(points=10))) == 10  # without colours nobody looks at it
    with pytest.raises(DataError, match=re.escape(f"names '{library}'")):
        read_cloud(path, Options(points=10, colors=True))


@pytest.mark.parametrize(("kind", "values", "reason"), [
    ("int", "255 0 0", "has colours of the type int32; 8 or 16 bits without sign and floats are read"),
    ("char", "100 0 0", "has colours of the type int8; 8 or 16 bits without sign and floats are read"),
    ("float", "255 0 0", "has colours from 0 to 255; those of floats go from 0 to 1"),
    ("float", "-1 0 0", "has colours from -1 to 0; those of floats go from 0 to 1"),
    ("float", "nan 0 0", "has colours from nan to nan; those of floats go from 0 to 1"),
])  # fmt: skip
def test_colours_of_odd_types_are_refused(tmp_path, kind, values, reason):
    extra = "".join(f"property {kind} {name}\n" for name in ("red", "green", "blue"))
    path = put(tmp_path / "a.ply", ply(f"0 0 0 {values}\n1 0 0 {values}", extra=extra))
    assert len(read_cloud(path)) == 2
    with pytest.raises(DataError, match=reason):
        read_cloud(path, Options(colors=True))


@pytest.mark.parametrize("kind", ["float", "ushort"])
def test_meshes_with_colours_that_would_be_changed_are_refused(tmp_path, kind):
    extra = "".join(f"property {kind} {name}\n" for name in ("red", "green", "blue"))
    path = put(tmp_path / "a.ply", ply("0 0 0 1 0 0\n1 0 0 1 0 0\n0 1 0 1 0 0", "3 0 1 2", extra=extra))
    assert len(read_cloud(path, Options(points=10))) == 10
    with pytest.raises(DataError, match="is a mesh with colours of another type than uchar, which are not read"):
        read_cloud(path, Options(points=10, colors=True))


@pytest.mark.parametrize("value", ["300", "1.5", "-1", "nan"])
def test_text_that_is_not_of_its_type_is_refused(tmp_path, value):
    extra = "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    path = put(tmp_path / "a.ply", ply(f"0 0 0 1 1 1\n1 0 0 1 {value} 1", extra=extra))
    with pytest.raises(DataError, match="has numbers that are not of the type that its header says"):
        read_cloud(path)


def test_normals_of_no_length_are_refused(tmp_path):
    extra = "".join(f"property float n{axis}\n" for axis in "xyz")
    path = put(tmp_path / "a.ply", ply("0 0 0 0 0 1\n1 0 0 0 0 0", extra=extra))
    assert len(read_cloud(path)) == 2
    with pytest.raises(DataError, match="has normals that point nowhere"):
        read_cloud(path, Options(normals=True))


@pytest.mark.parametrize(("name", "content", "reason"), [
    ("a.png", b"I am no picture", "names 'a.png', which is no picture that can be read"),
    ("a.png", None, "cannot be opened: image file is truncated"),
])  # fmt: skip
def test_textures_that_are_no_pictures_are_refused(tmp_path, name, content, reason):
    if content is None:
        file = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)).save(file, "PNG")
        content = file.getvalue()[:-2000]
    put(tmp_path / name, content)
    put(tmp_path / "a.mtl", f"newmtl a\nmap_Kd {name}\n")
    square = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl a\nf 1/1 2/2 3/3\n"
    path = put(tmp_path / "a.obj", f"mtllib a.mtl\n{square}")
    assert len(read_cloud(path, Options(points=10))) == 10
    with pytest.raises(DataError, match=reason):
        read_cloud(path, Options(points=10, colors=True))


def test_what_is_asked_for_must_be_there(tmp_path):
    path = put(tmp_path / "a.npy", npy(POINTS))
    for part, said in (("normals", "normals"), ("colors", "colours")):
        with pytest.raises(DataError, match=f"has no {said}; data.source.{part} asks for them"):
            read_cloud(path, Options(**{part: True}))
    with pytest.raises(DataError, match=r"has no colours; data\.source.colors asks for them"):
        read_cloud(put(tmp_path / "a.stl", STL), Options(colors=True))


def test_kinds_that_are_not_read_are_named(tmp_path):
    with pytest.raises(DataError, match=r"a.fbx: is no file of a kind that is read: \.3mf, \.glb"):
        read_cloud(put(tmp_path / "a.fbx", b"x"))
    for name in ("b.ply", "nowhere"):
        with pytest.raises(DataError, match=f"{name}: there is no such file"):
            read_cloud(tmp_path / name)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_damage_is_a_data_error_or_nothing(tmp_path, suffix):
    """Whatever bytes are changed or cut off, reading gives finite points or one line."""
    exported = {
        ".npy": npy(POINTS),
        ".npz": npz(points=POINTS),
        ".xyz": "\n".join(" ".join(map(str, row)) for row in POINTS),
        ".gltf": gltf(),
    }
    whole = exported.get(suffix) or BOX.export(file_type=suffix[1:])
    whole = whole.encode() if isinstance(whole, str) else whole
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 5)):
            damaged[place] = rng.integers(256)
        content = bytes(damaged[: rng.integers(len(whole))] if rng.random() < 0.3 else damaged)
        try:
            cloud = read_cloud(put(tmp_path / f"a{suffix}", content), Options(points=20, max_points=10_000))
            assert np.isfinite(cloud.points).all()
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 5
