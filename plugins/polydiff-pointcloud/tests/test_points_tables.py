"""Shapes in the cells of tables."""

import json

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trimesh
from polydiff_pointcloud.folder import Folder, HuggingFace, Parquet
from polydiff_pointcloud.furniture import Furniture
from polydiff_pointcloud.writers import ply

from polydiff.errors import DataError
from polydiff.testing import ModalityConformance


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


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
    return folder


def table_of(paths, tmp_path):
    rows = {"mesh": [{"bytes": path.read_bytes(), "path": path.name} for path in paths]}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


@pytest.mark.parametrize("cached", [False, True])
def test_a_table_holds_what_the_folder_holds(shapes, tmp_path, cached):
    file = table_of(sorted(shapes.iterdir()), tmp_path)
    datasets.Dataset.from_parquet(str(file)).save_to_disk(tmp_path / "saved")
    options = {"points": 200, **({"cache": tmp_path / "cache"} if cached else {})}
    folder = Folder(shapes, points=200)
    for table in (Parquet(files=file, **options), HuggingFace(path=tmp_path / "saved", **options)):
        assert len(table) == len(folder) == 10
        for index in range(len(folder)):
            assert np.array_equal(table[index].content.points, folder[index].content.points)


def test_files_without_names_need_their_ending(shapes, tmp_path):
    pq.write_table(pa.table({"mesh": [(shapes / "box-off.off").read_bytes()]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"row 0: has no name that says of what kind it is; data\.source\.suffix=\.ply"):
        Parquet(files=tmp_path / "a.parquet")
    table = Parquet(files=tmp_path / "a.parquet", suffix=".off", points=100)
    assert np.allclose(np.abs(table[0].content.points).max(1), 3**-0.5)  # on the surface of a cube


def test_a_mesh_in_a_table_names_no_other_file(shapes, tmp_path):
    document = {"asset": {"version": "2.0"}, "buffers": [{"byteLength": 6000, "uri": "points.npy"}]}
    (shapes / "box.gltf").write_text(json.dumps(document))
    file = table_of([shapes / "box.gltf", shapes / "points.npy"], tmp_path)
    assert Parquet(files=file).unreadable[0].startswith("row 0 (box.gltf): ")


class TestParquet(ModalityConformance):
    """Furniture in a table, with its kinds."""

    recipe = "furniture"
    round_trip_error = 1e-6

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def written(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("table")
        source = Furniture(count=200, points=256)
        examples = [source[index] for index in range(len(source))]
        rows = {"shape": [ply(each.content, {}) for each in examples], "label": [each.label for each in examples]}
        pq.write_table(pa.table(rows), folder / "furniture.parquet")
        cls.overrides = (
            f"data.source={{name: parquet, files: {folder}/furniture.parquet, suffix: .ply, points: 256}}",
            "data.holdout=0.5",
            "data.augment=[{name: subsample, points: 128}]",
            "sample.steps=4",
            "train.batch=16",
            "train.steps=30",
            "train.optimizer.warmup=5",
            "train.max_minutes=null",
            "train.validation.samples=96",
            "train.validation.every=1000",
            "train.preview.every=1000",
            "train.preview.samples=2",
            "codec={name: points, points: 128}",
            "backbone={name: latent-set, width: 32, latents: 16, latent_width: 64, layers: 1}",
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "hf")
            yield
