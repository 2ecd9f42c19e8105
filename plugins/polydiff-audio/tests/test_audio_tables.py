"""Recordings in the cells of tables."""

import io

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from polydiff_audio.folder import Folder, HuggingFace, Parquet
from polydiff_audio.synth import Synth

from polydiff.testing import ModalityConformance


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


@pytest.fixture
def recordings(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "recordings"
    for name in ("cat/1.wav", "cat/2.flac", "dog/3.ogg", "dog/4.mp3"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, 0.1 * rng.standard_normal((20000, 2)), 8000)
    (folder / "dog/5.wav").write_bytes((folder / "cat/1.wav").read_bytes()[:2000])
    return folder


@pytest.mark.parametrize("options", [{}, {"window": 1.0, "rate": 16000, "channels": "mix"}, {"trim": 40.0}])
def test_a_table_holds_what_the_folder_holds(recordings, tmp_path, options):
    paths = sorted(recordings.rglob("*.*"))
    content, labels = [path.read_bytes() for path in paths], [path.parent.name for path in paths]
    pq.write_table(pa.table({"sound": content, "label": labels}), tmp_path / "bare.parquet")  # without names
    features = datasets.Features({"audio": datasets.Audio(), "label": datasets.Value("string")})
    cells = [{"bytes": each, "path": path.name} for each, path in zip(content, paths, strict=True)]
    rows = pa.table({"audio": cells, "label": labels}, schema=features.arrow_schema)
    datasets.Dataset(datasets.table.InMemoryTable(rows)).save_to_disk(tmp_path / "saved")
    folder = Folder(recordings, **options)
    for table in (Parquet(files=tmp_path / "bare.parquet", **options), HuggingFace(path=tmp_path / "saved", **options)):
        assert len(table) == len(folder)
        assert len(table.unreadable) == 1
        assert "truncated" in table.unreadable[0]
        for index in range(len(folder)):
            one, other = table[index], folder[index]
            assert one.label == other.label
            assert np.array_equal(one.content.samples, other.content.samples)
            part = (one.content.cut(100, 2000), other.content.cut(100, 2000))
            assert np.array_equal(part[0].samples, part[1].samples)


def test_items_of_a_table_are_kept_in_a_cache(recordings, tmp_path):
    pq.write_table(pa.table({"sound": [(recordings / "cat/1.wav").read_bytes()]}), tmp_path / "a.parquet")
    made = Parquet(files=tmp_path / "a.parquet", cache=tmp_path / "cache")[0].content.samples
    (kept,) = (each for each in (tmp_path / "cache").rglob("*") if each.is_file())
    before = kept.stat().st_mtime_ns
    assert np.array_equal(Parquet(files=tmp_path / "a.parquet", cache=tmp_path / "cache")[0].content.samples, made)
    assert kept.stat().st_mtime_ns == before


class TestParquet(ModalityConformance):
    """Notes in a table, with a class and a number as conditions."""

    recipe = "synth-notes"
    round_trip_error = 0.2

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def written(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("table")
        source, rows = Synth(count=400, seconds=0.25), {"sound": [], "label": [], "pitch": []}
        for index in range(len(source)):
            example, file = source[index], io.BytesIO()
            soundfile.write(file, example.content.samples.T, example.content.rate, format="WAV", subtype="FLOAT")
            rows["sound"].append(file.getvalue())
            rows["label"].append(example.label)
            rows["pitch"].append(example.attributes["pitch"])
        pq.write_table(pa.table(rows), folder / "notes.parquet")
        cls.overrides = (
            f"data.source={{name: parquet, files: {folder}/notes.parquet}}",
            "data.holdout=0.5",
            "sample.steps=4",
            "train.batch=16",
            "train.steps=30",
            "train.optimizer.warmup=5",
            "train.max_minutes=null",
            "train.validation.samples=128",
            "train.validation.every=1000",
            "train.preview.every=1000",
            "train.preview.samples=2",
            "backbone={name: unet1d, channels: 32, multipliers: [1, 1], factors: 4, blocks: 1, attention: [-1]}",
            "sample.guidance=[{name: cfg, scale: 1.5}]",
            "codec={name: spectrogram, rate: 8000, duration: 0.25, n_fft: 256, hop: 64, floor: 0.1, multiple: 4}",
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "hf")
            yield
