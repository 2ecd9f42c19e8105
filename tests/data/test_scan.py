"""Finding the files of a folder."""

import json
import os

import pytest

from polydiff.data.scan import scan
from polydiff.errors import DataError

KINDS = (".png", ".jpg")


@pytest.fixture
def folder(tmp_path):
    """Make a function that fills a folder with files, named by their paths and given their contents."""
    root = tmp_path / "photos"
    root.mkdir()

    def fill(*names, **texts):
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        for name, text in texts.items():
            (root / name.replace("__", ".")).write_text(text)
        return root

    return fill


def names(result):
    return [file.name for file in result.found]


def test_files_are_found_in_every_sub_folder_and_sorted(folder):
    result = scan(folder("b/2.png", "b/10.png", "a.JPG", "a/c/x.png", "notes.txt", "B/1.png"), KINDS)
    assert names(result) == ["B/1.png", "a.JPG", "a/c/x.png", "b/10.png", "b/2.png"]
    assert result.unreadable == []


def test_the_label_is_the_folder_that_a_file_lies_in(folder):
    result = scan(folder("top.png", "cats/1.png", "pets/dogs/2.png"), KINDS)
    assert [file.label for file in result.found] == ["cats", "dogs", None]


def test_hidden_files_and_folders_are_passed_over(folder):
    result = scan(folder("a.png", ".b.png", "._a.png", ".cache/c.png"), KINDS)
    assert (names(result), result.unreadable) == (["a.png"], [])


def test_unicode_names(folder):
    result = scan(folder("Käse/🧀 \n.png"), KINDS)
    assert (names(result), result.found[0].label) == (["Käse/🧀 \\n.png"], "Käse")
    assert result.found[0].path.exists()


def test_a_table_may_name_what_no_file_system_could_hold(folder):
    root = folder("a.png")
    (root / "metadata.jsonl").write_text(json.dumps({"file_name": "x" * 5000}) + "\n")
    (line,) = scan(root, KINDS).unreadable
    assert "there is no such file" in line


def test_a_name_that_is_no_unicode_can_be_printed(folder):
    root = folder()
    (root / os.fsdecode(b"caf\xe9.png")).touch()
    (file,) = scan(root, KINDS).found
    assert file.name == "caf\\xe9.png"
    assert file.path.exists()


def test_a_link_out_of_the_folder_is_left_out(folder, tmp_path):
    (tmp_path / "secret.png").touch()
    root = folder("a.png")
    (root / "b.png").symlink_to(tmp_path / "secret.png")
    (root / "c.png").symlink_to("a.png")
    (root / "d.png").symlink_to("missing.png")
    (root / "loop").symlink_to(root)
    result = scan(root, KINDS)
    assert names(result) == ["a.png", "c.png"]
    assert result.unreadable == [
        "b.png: is a link that leads out of the folder",
        "d.png: is a broken link",
        "loop: is a link to a folder, which is not followed",
    ]


def test_a_table_linked_from_elsewhere_is_not_read(folder, tmp_path):
    (tmp_path / "elsewhere.csv").write_text("file_name,label\na.png,secret\n")
    root = folder("a.png")
    (root / "metadata.csv").symlink_to(tmp_path / "elsewhere.csv")
    result = scan(root, KINDS)
    assert result.found[0].label is None
    assert result.unreadable == ["metadata.csv: is a link that leads out of the folder"]


def test_the_folder_itself_may_be_a_link(folder, tmp_path):
    folder("a.png")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    assert names(scan(tmp_path / "link", KINDS)) == ["a.png"]


def test_a_pipe_is_not_opened(folder):
    root = folder("a.png")
    os.mkfifo(root / "b.png")
    assert scan(root, KINDS).unreadable == ["b.png: is no regular file"]


def test_a_folder_without_files_to_read_is_reported(folder):
    result = scan(folder("cats/1.png", "dogs/readme.txt", "birds/big/notes.txt", "birds/small/notes.txt"), KINDS)
    assert result.unreadable == [
        "birds: holds no file that ends in .jpg, .png",
        "dogs: holds no file that ends in .jpg, .png",
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nowhere: there is no such folder"),
        ("photos/a.txt", "a.txt: is no folder"),
        ("photos", "photos: there is no file to read in it; looked for .jpg, .png"),
    ],
)
def test_what_is_no_folder_of_files_is_refused(folder, tmp_path, path, message):
    folder("a.txt")
    with pytest.raises(DataError) as raised:
        scan(tmp_path / path, KINDS)
    assert str(raised.value).endswith(message)


def test_tables_describe_files_below_them(folder):
    root = folder("a.png", "cats/1.png", "cats/2.png", metadata__csv="file_name,caption,age\ncats/1.png,one,3\n")
    (root / "cats" / "metadata.jsonl").write_text('{"file_name": "2.png", "label": "tom"}')
    a, one, two = scan(root, KINDS).found
    assert (a.label, a.caption, a.attributes) == (None, None, {})
    assert (one.label, one.caption, one.attributes) == ("cats", "one", {"age": 3})
    assert (two.label, two.caption) == ("tom", None)


def test_names_are_found_however_their_accents_are_spelled(folder):
    decomposed, composed = "cafe\u0301.png", "caf\u00e9.png"
    (file,) = scan(folder(decomposed, metadata__csv=f"file_name,label\n{composed},drink\n"), KINDS).found
    assert file.label == "drink"


def test_lines_about_what_is_not_there_are_reported(folder):
    root = folder("a.png", "b.txt", metadata__csv="file_name,label\nmissing.png,x\nb.txt,x\n")
    where = root / "metadata.csv"
    assert scan(root, KINDS).unreadable == [
        f"b.txt: is no file of a kind that is read ({where}:3)",
        f"missing.png: there is no such file ({where}:2)",
    ]


def test_a_file_described_twice_is_refused(folder):
    table = '{"file_name": "a.png", "label": "x"}'
    root = folder("a.png", metadata__csv="file_name,label\na.png,y\n", metadata__jsonl=table)
    with pytest.raises(DataError, match=r"metadata\.jsonl:1: 'a\.png' is described again, after .*metadata\.csv:2"):
        scan(root, KINDS)


def test_a_file_that_is_a_fact_is_found_beside_its_table(folder):
    table = "file_name,sound_file_name,sketch_file_name\na.png,sounds/a.wav,sketches/a.png\n"
    root = folder("sub/a.png", "sub/sounds/a.wav", "sub/sketches/a.png", "sub/b.png")
    (root / "sub" / "metadata.csv").write_text(table)
    result = scan(root, KINDS)
    assert (names(result), result.unreadable) == (["sub/a.png", "sub/b.png"], [])  # a sketch is no item of its own
    expected = {"sound": root / "sub/sounds/a.wav", "sketch": root / "sub/sketches/a.png"}
    assert [file.attributes for file in result.found] == [expected, {}]


def test_a_file_that_is_a_fact_and_described_is_an_item_too(folder):
    root = folder("a.png", "b.png")
    (root / "metadata.csv").write_text("file_name,before_file_name\nb.png,a.png\na.png,\n")
    assert names(scan(root, KINDS)) == ["a.png", "b.png"]


def test_an_item_whose_fact_is_no_file_of_the_folder_is_left_out(folder, tmp_path):
    (tmp_path / "far.wav").touch()
    root = folder("a.png", "b.png", "c.png")
    (root / "far.wav").symlink_to(tmp_path / "far.wav")
    (root / "metadata.csv").write_text("file_name,sound_file_name\na.png,far.wav\nb.png,none.wav\n")
    result = scan(root, KINDS)
    assert names(result) == ["c.png"]
    table = root / "metadata.csv"
    assert result.unreadable == [
        f"a.png: its file 'far.wav' leads out of the folder ({table}:2)",
        f"b.png: its file 'none.wav' is not there ({table}:3)",
    ]
    (root / "c.png").unlink()
    with pytest.raises(DataError, match=r"none of its 2 files can be read; a\.png: its file 'far\.wav'"):
        scan(root, KINDS)
