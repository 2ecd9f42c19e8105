import errno
import json
import os

import pytest

from polydiff.errors import PolydiffError, UsageError
from polydiff.generation.output import Output, write, write_all


def generate_into(folder, indices, *, overwrite=False, suffix=".png", **facts):
    output = Output(folder, indices, overwrite=overwrite)
    records = [{"file": f"{i:05d}{suffix}", "index": i, **facts} for i in indices]
    for record in records:
        write(folder / record["file"], str(facts).encode())
    output.add(records)
    output.close()
    write(folder / "sheet.png", b"")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_set_is_extended(tmp_path):
    generate_into(tmp_path, range(2, 4))
    generate_into(tmp_path, range(2))
    lines = (tmp_path / "samples.jsonl").read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == [f"0000{i}.png" for i in range(4)]


def test_samples_are_not_replaced_unasked(tmp_path):
    generate_into(tmp_path, range(4))
    with pytest.raises(UsageError, match=r"00003.png exists.*--first 4.*--overwrite"):
        Output(tmp_path, range(3, 6), overwrite=False)


def test_overwriting_takes_the_old_samples_along(tmp_path):
    generate_into(tmp_path, range(4), seed=0)
    write(tmp_path / "00001-strip.png", b"")
    text = (tmp_path / "samples.jsonl").read_text()
    (tmp_path / "samples.jsonl").write_text(text.replace('"index": 1', '"trajectory": ["00001-strip.png"], "index": 1'))
    generate_into(tmp_path, range(1, 3), overwrite=True, suffix=".jpg", seed=1)
    assert names(tmp_path) == ["00000.png", "00001.jpg", "00002.jpg", "00003.png", "samples.jsonl", "sheet.png"]
    assert [line.count('"seed": 1') for line in (tmp_path / "samples.jsonl").read_text().splitlines()] == [0, 1, 1, 0]


@pytest.mark.parametrize("name", ["00000.png", "00000-strip.png"])
def test_a_file_that_no_generation_wrote_is_never_replaced(tmp_path, name):
    generate_into(tmp_path, range(5, 6))
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name} was not written by a generation"):
        Output(tmp_path, range(2), overwrite=True)


def test_files_of_others_are_left_alone(tmp_path):
    generate_into(tmp_path, range(2))
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "20240101.png").write_text("mine")
    generate_into(tmp_path, range(2), overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == (tmp_path / "20240101.png").read_text() == "mine"


def test_a_folder_of_others_is_refused(tmp_path):
    (tmp_path / "photo.png").write_text("mine")
    with pytest.raises(UsageError, match="holds other files and no samples: choose another --out"):
        Output(tmp_path, range(2), overwrite=True)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"file": "00000.png"}',
        '{"index": 0}',
        '{"file": "00000.png", "index": "0"}',
        '{"file": 3, "index": 0}',
    ],
)
def test_records_that_no_generation_wrote_are_refused(tmp_path, line):
    (tmp_path / "samples.jsonl").write_text(line)
    with pytest.raises(UsageError, match=r"samples.jsonl:1 "):
        Output(tmp_path, range(2), overwrite=True)


def test_labels_with_strange_line_ends_are_read_back(tmp_path):
    generate_into(tmp_path, range(1), conditions={"label": "a\u2028b\x85c\rd"})
    generate_into(tmp_path, range(1, 2))
    first = json.loads((tmp_path / "samples.jsonl").read_bytes().splitlines()[0])
    assert first["conditions"] == {"label": "a\u2028b\x85c\rd"}


def test_a_full_disk_is_told_in_one_line(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PolydiffError, match="the disk is full"):
        write(tmp_path / "out" / "00000.png", b"picture")
    assert names(tmp_path / "out") == []


def test_files_are_written_all_or_none(tmp_path, monkeypatch):
    from polydiff import files

    def write_two(path, content, whole=files.write):
        if path.name == "c":
            raise PolydiffError("no more")
        whole(path, content)

    monkeypatch.setattr(files, "write", write_two)
    with pytest.raises(PolydiffError, match="no more"):
        write_all(tmp_path / "out", {"a": b"", "b": b"", "c": b"", "d": b""})
    assert names(tmp_path / "out") == []


def test_a_file_in_the_folders_place_is_told(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(PolydiffError, match="cannot write"):
        write(tmp_path / "out" / "00000.png", b"picture")
