"""Pictures in the cells of tables."""

import io

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from polydiff_image.digits import Digits
from polydiff_image.folder import Folder, HuggingFace, Parquet

from polydiff.testing import ModalityConformance


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


@pytest.fixture
def pictures(tmp_path):
    """Give a folder of pictures of every format, and a broken one."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    for name in ("cat/1.png", "cat/2.jpg", "dog/3.webp", "dog/4.tif", "dog/5.gif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(folder / name)
    (folder / "dog/6.png").write_bytes(b"no picture")
    return folder


def test_a_table_holds_what_the_folder_holds(pictures, tmp_path):
    paths = sorted(pictures.rglob("*.*"))
    content, labels = [path.read_bytes() for path in paths], [path.parent.name for path in paths]
    pq.write_table(pa.table({"image": content, "label": labels}), tmp_path / "bare.parquet")  # without names
    rows = {"image": [{"bytes": each, "path": path.name} for each, path in zip(content, paths, strict=True)]}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    data = datasets.Dataset.from_dict({**rows, "label": [int(each == "dog") for each in labels]}, features=features)
    data.to_parquet(tmp_path / "named.parquet")
    data.save_to_disk(tmp_path / "saved")
    folder = Folder(pictures)
    tables = [Parquet(files=tmp_path / "bare.parquet"), Parquet(files=tmp_path / "named.parquet")]
    for table in [*tables, HuggingFace(path=tmp_path / "saved")]:
        assert len(table) == len(folder) == 5
        assert table.classes == ["cat", "dog"]
        assert [line.partition(": ")[2] for line in table.unreadable] == ["is no picture in a format that is read"]
        for index in range(len(folder)):
            one, other = table[index], folder[index]
            assert one.label == other.label
            assert np.array_equal(np.asarray(one.content), np.asarray(other.content))


class TestParquet(ModalityConformance):
    """Handwritten digits in a table."""

    recipe = "digits"

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def written(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("table")
        source, rows = Digits(), {"image": [], "label": []}
        for index in range(600):
            file = io.BytesIO()
            source[index].content.save(file, "PNG")
            rows["image"].append(file.getvalue())
            rows["label"].append(source.label(index))
        pq.write_table(pa.table(rows), folder / "digits.parquet")
        cls.overrides = (
            f"data.source={{name: parquet, files: {folder}/digits.parquet}}",
            "backbone.channels=16",
            "backbone.multipliers=[1, 2]",
            "train.steps=40",
            "train.batch=32",
            "train.optimizer.warmup=10",
            "train.validation.samples=32",
            "train.preview.samples=4",
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "hf")
            yield
