"""`polydiff data check`: what is wrong with data, said before training on them."""

import json
import tarfile

import pytest
from PIL import Image


@pytest.fixture
def check(polydiff, place):
    def check(*args):
        return polydiff("data", "check", *args)

    return check


@pytest.fixture
def spoilt(pictures):
    folder = pictures("cat/1.png", "cat/2.png", "cat/3.png", "cat/4.png", "dog/5.png")
    (folder / "dog/6.png").write_bytes((folder / "cat/1.png").read_bytes())
    (folder / "cat/7.png").write_bytes((folder / "cat/2.png").read_bytes()[:900])
    Image.open(folder / "cat/2.png").resize((320, 32)).save(folder / "wide.png")
    (folder / "metadata.csv").write_text("file_name,license\ncat/1.png,CC0\n")
    return folder


def test_findings_are_told_written_and_drawn(check, spoilt, place):
    said = check(spoilt, "--modality=image")
    assert said.code == 0
    lines = dict(line.split(maxsplit=1) for line in said.out.splitlines() if line[:1].islower())
    assert lines["unreadable"].startswith("1      cat/7.png: cannot be decoded")
    assert lines["duplicate"] == "1      cat/1.png = dog/6.png with labels 'cat' and 'dog'"
    assert "wide.png (width 320; the median is 32)" in said.out
    assert lines["unlabelled"] == "1      wide.png"
    assert "licence: not said (6)\nlicence: CC0 (1)\n" in said.out
    report = json.loads((place / "data-report.json").read_text())
    assert (report["items"], report["readable"], report["classes"]) == (8, 7, {"cat": 4, "dog": 2})
    options = {"shrink_to": None, "max_pixels": 100_000_000, "cache": None}
    assert report["sources"] == [{"name": "folder", "path": str(spoilt), **options}]
    with Image.open(place / "data-sheet.png") as sheet:
        assert sheet.width > 96


def test_json_is_the_report_alone(check, spoilt, place):
    said = check(spoilt, "--modality=image", "--json", "--out=new/folder")
    assert json.loads(said.out) == json.loads((place / "new/folder/data-report.json").read_text())


def test_shards_are_checked_as_folders_are(check, spoilt, place):
    with tarfile.open(place / "a.tar", "w") as archive:
        archive.add(spoilt, ".")
    said = check("a.tar", "--modality=image", "--workers=1", "--json")
    report = json.loads(said.out)
    assert (report["readable"], report["classes"]) == (7, {"cat": 4, "dog": 2})
    assert report["unreadable"][0].startswith("a.tar/metadata.csv: is a table")
    assert report["sources"][0]["shards"] == [str(place / "a.tar")]


def test_the_source_of_a_recipe_or_a_preset_is_checked(check, spoilt, place):
    said = check("folder-64", f"data.source.path={spoilt}", "--json")
    assert (said.code, json.loads(said.out)["sources"][0]["shrink_to"]) == (0, 128)
    said = check("digits")
    assert said.code == 0
    assert "1797 items can be read, 10 classes" in said.out
    assert "flawed" not in said.out


def test_good_data_are_called_good(check, pictures):
    said = check(pictures("a.png", "b.png"), "--modality=image", "max_pixels=2000")
    assert "nothing is wrong with any of them" in said.out


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["{folder}"], 2, "say what"),
        (["{folder}", "--modality=imgae"], 4, "unknown modality 'imgae'; did you mean 'image'?"),
        (["{folder}", "--modality=image", "max_pixel=3"], 2, "unknown option; did you mean 'max_pixels'?"),
        (["{folder}", "--modality=image", "max_pixels"], 2, "'max_pixels' sets no option"),
        (["{folder}", "--modality=image", "max_pixels={{"], 3, "max_pixels={"),
        (["{folder}", "--modality=image", "max_pixels=1"], 3, "none of its 1 files can be read"),
        (["nosuch"], 2, "there is no folder, recipe, run or preset 'nosuch'"),
        (["nosuch", "--modality=image"], 2, "there is no folder, recipe, run or preset 'nosuch'"),
        (["{file}", "--modality=image"], 2, "is no tar shard (.tar) or Parquet file (.parquet); of others, name the"),
        (["{file}", "--modality=imgae"], 4, "unknown modality 'imgae'; did you mean 'image'?"),
        (["nosuch.tar", "--modality=image"], 3, "cannot be opened: No such file"),
        (["nosuch.yaml"], 3, "there is no such recipe"),
        (["digits", "--modality=image"], 2, "--modality is for a folder, tar shards or Parquet files"),
        (["{folder}", "--modality=image", "--out={file}"], 1, "cannot write"),
    ],
)
def test_what_cannot_be_checked_is_refused(check, pictures, args, code, message):
    folder = pictures("a.png")
    said = check(*(arg.format(folder=folder, file=folder / "a.png") for arg in args if arg))
    assert (said.code, message in said.err) == (code, True), said.err


def test_all_sources_of_a_recipe_are_checked_together(check, pictures, tmp_path):
    first = pictures("cat/1.png")
    second = tmp_path / "second"
    (second / "dog").mkdir(parents=True)
    (second / "dog/1.png").write_bytes((first / "cat/1.png").read_bytes())
    said = check("folder-64", f"data.source.path={first}", f"data.also=[{{name: folder, path: {second}, weight: 2}}]")
    assert "cat/1.png = also.0/dog/1.png with labels 'cat' and 'dog'" in said.out


def test_what_is_held_out_is_checked_with_the_rest(check, pictures, tmp_path):
    first = pictures("cat/1.png", "cat/2.png")
    second = tmp_path / "held"
    second.mkdir()
    (second / "1.png").write_bytes((first / "cat/2.png").read_bytes())
    (second / "2.png").write_bytes(b"no picture")
    validation = f"data.validation={{name: folder, path: {second}}}"
    said = check("folder-64", f"data.source.path={first}", validation, "--json")
    report = json.loads(said.out)
    assert report["duplicates"] == [{"names": ["cat/2.png", "validation/1.png"], "labels": ["cat", None]}]
    assert report["unreadable"] == ["validation/2.png: is no picture in a format that is read"]
    assert [each["path"] for each in report["sources"]] == [str(first), str(second)]


def test_tables_are_checked_as_folders_are(check, spoilt, place, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    paths = sorted(spoilt.rglob("*.png"))
    rows = {"image": [{"bytes": path.read_bytes(), "path": path.name} for path in paths]}
    table = datasets.Dataset.from_dict({**rows, "label": [path.parent.name for path in paths]})
    table.to_parquet(place / "a.parquet")
    table.save_to_disk(place / "saved")
    for source in ("a.parquet", "saved"):
        report = json.loads(check(source, "--modality=image", "--json").out)
        assert (report["readable"], report["classes"]["cat"]) == (7, 4)
        assert report["unreadable"][0].startswith("row 4 (7.png): cannot be decoded")
        assert report["duplicates"][0]["names"] == ["row 0 (1.png)", "row 6 (6.png)"]
