"""The page of the demo, made of folders as `polydiff generate` writes them."""

import json
import re
import runpy
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.writers import ply

FILE = Path(__file__).parents[3] / "examples" / "demo_page.py"


@pytest.fixture(scope="module")
def page():
    return runpy.run_path(str(FILE), run_name="demo_page")["main"]


def samples(folder, suffix, content, conditions, endings=()):
    folder.mkdir(parents=True)
    records = []
    for index, condition in enumerate(conditions):
        record = {"file": f"{index:05d}{suffix}", "index": index, "seed": 0, "conditions": condition}
        record |= {"sampler": {"name": "ddim"}, "steps": 5, "trajectory": [f"{index:05d}{end}" for end in endings]}
        (folder / record["file"]).write_bytes(content)
        records.append(json.dumps(record) + "\n")
    (folder / "samples.jsonl").write_text("".join(records))


class Links(HTMLParser):
    """Collects what a page refers to, and which elements it has."""

    def __init__(self):
        super().__init__()
        self.links, self.elements = [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]


def test_all_modalities_on_one_page(page, tmp_path, capsys):
    cloud = PointCloud(np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32))
    digits = [{"label": str(i % 3)} for i in range(6)]
    samples(tmp_path / "samples" / "digits", ".png", b"", digits, ["-strip.png", ".gif"])
    samples(tmp_path / "samples" / "notes", ".wav", b"", [{"label": "bell", "pitch": "60"}, {"label": "a<b"}])
    samples(tmp_path / "samples" / "furniture", ".ply", ply(cloud, {}), [{"label": "chair"}] * 2, [".gif", "-turn.gif"])
    page(tmp_path)
    text = (tmp_path / "index.html").read_text()
    found = Links()
    found.feed(text)
    assert found.elements.count("audio") == 2
    assert found.elements.count("canvas") == 2
    assert [link for link in found.links if link.endswith(".gif")] == [
        *(f"samples/digits/0000{i}.gif" for i in range(3)),
        "samples/furniture/00000.gif",
    ]
    assert "samples/notes/00000.wav" in found.links
    assert all(link.startswith("samples/") for link in found.links)
    assert not re.search("https?:", text)
    assert "bell, pitch 60" in text
    assert "a&lt;b" in text
    assert capsys.readouterr().err == ""


def test_a_missing_modality_is_told(page, tmp_path, capsys):
    cloud = PointCloud(np.zeros((1, 3), np.float32))
    samples(tmp_path / "samples" / "furniture", ".ply", ply(cloud, {}), [{"label": "chair"}])
    page(tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert "No samples in <code>samples/digits</code> yet" in text
    assert f"{tmp_path / 'samples' / 'notes'} has no samples" in capsys.readouterr().err
