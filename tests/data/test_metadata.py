"""Tables of facts about files."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polydiff.data.metadata import read_table
from polydiff.errors import DataError


@pytest.fixture
def table(tmp_path):
    def read(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return list(read_table(path))

    return read


def test_json_lines(table):
    lines = [
        '{"file_name": "a/b.png", "label": "cat", "caption": "Ein Kätzchen", "age": 3, "box": [1, 2], "who": "7"}',
        "",
        '{"file_name": "c.png", "label": 4, "caption": null, "age": null}',
    ]
    first, second = table("metadata.jsonl", "\n".join(lines))
    assert (first.file, first.label, first.caption) == (PurePosixPath("a/b.png"), "cat", "Ein Kätzchen")
    assert first.attributes == {"age": 3, "box": [1, 2], "who": "7"}
    assert (second.label, second.caption, second.attributes) == ("4", None, {})
    assert second.where.endswith("metadata.jsonl:3")


def test_csv(table):
    text = 'file_name,label,caption,age,code\r\na.png,05,"one, two\r\nthree",2.5,007\r\n\r\nb.png,,,,\r\n'
    first, second = table("metadata.csv", text)
    assert (first.label, first.caption) == ("05", "one, two\r\nthree")
    assert first.attributes == {"age": 2.5, "code": "007"}
    assert (second.label, second.caption, second.attributes) == (None, None, {})
    assert second.where.endswith("metadata.csv:5")


def test_a_byte_order_mark_is_no_part_of_the_first_column(table):
    (facts,) = table("metadata.csv", b"\xef\xbb\xbffile_name,label\na.png,cat\n")
    assert facts.label == "cat"


@pytest.mark.parametrize(
    ("cell", "value"),
    [("0", 0), ("-12", -12), ("+3", 3), ("1.", 1.0), (".5", 0.5), ("1e-4", 1e-4), ("-2.5E3", -2500.0)],
)
def test_numbers_of_a_csv_are_parsed(table, cell, value):
    (facts,) = table("metadata.csv", f"file_name,x\na.png,{cell}\n")
    assert facts.attributes["x"] == value
    assert type(facts.attributes["x"]) is type(value)


@pytest.mark.parametrize("cell", ["007", "nan", "inf", ".", "1_000", "0x10", "٣", "12345678901234567890", "1 "])
def test_what_may_be_no_number_stays_a_text(table, cell):
    (facts,) = table("metadata.csv", f"file_name,x\na.png,{cell}\n")
    assert facts.attributes["x"] == cell


@given(st.text())
def test_any_text_is_read_or_refused_with_its_line(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("tables")
    for name in ("metadata.csv", "metadata.jsonl"):
        (folder / name).write_text(text, encoding="utf-8", errors="ignore", newline="")
        try:
            assert all(".." not in facts.file.parts for facts in read_table(folder / name))
        except DataError as error:
            assert name in str(error)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metadata.jsonl", '{"file_name": "a.png"}\n{"file_name": ', r"metadata\.jsonl:2: not JSON"),
        ("metadata.jsonl", '["a.png"]', r":1: expected a JSON object"),
        ("metadata.jsonl", '{"label": "cat"}', r":1: there is no file_name"),
        ("metadata.jsonl", '{"file_name": 3}', r":1: there is no file_name"),
        ("metadata.jsonl", '{"file_name": "../a.png"}', r":1: file_name '\.\./a\.png' leads out of the folder"),
        ("metadata.jsonl", '{"file_name": "b/../../a.png"}', r":1: file_name .* leads out"),
        ("metadata.jsonl", '{"file_name": "/etc/a.png"}', r":1: file_name '/etc/a\.png' leads out"),
        ("metadata.jsonl", '{"file_name": "a.png", "label": ["cat"]}', r':1: the label is no text: \["cat"\]'),
        ("metadata.jsonl", '{"file_name": "a.png", "label": true}', r":1: the label is no text: true"),
        ("metadata.jsonl", '{"file_name": "a.png", "caption": 5}', r":1: the caption is no text: 5"),
        ("metadata.jsonl", b"\xff\xfe", r"metadata\.jsonl: is not UTF-8 text"),
        ("metadata.csv", "name,label\na.png,cat\n", r":1: there is no column 'file_name'"),
        ("metadata.csv", "", r":1: there is no column 'file_name'"),
        ("metadata.csv", "file_name,x,x\na.png,1,2\n", r":1: two columns have one name"),
        ("metadata.csv", "file_name,label\na.png,cat,extra\n", r":2: 3 cells under 2 columns"),
        ("metadata.csv", 'file_name\n"a.png\n', r":2: not CSV"),
        ("metadata.csv", "file_name,label\n,cat\n", r":2: there is no file_name"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(table, name, text, message):
    with pytest.raises(DataError, match=message):
        table(name, text)


def test_columns_of_file_names_are_facts_that_are_files(table):
    text = "file_name,sound_file_name,age,mask_file_name\na.png,sounds/007,3,\nb.png,4,,m.png\n"
    first, second = table("metadata.csv", text)
    assert (first.files, first.attributes) == ({"sound": PurePosixPath("sounds/007")}, {"age": 3})
    assert second.files == {"sound": PurePosixPath("4"), "mask": PurePosixPath("m.png")}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('"sound_file_name": "../a.wav"', r":1: sound_file_name '\.\./a\.wav' leads out of the folder"),
        ('"sound_file_name": "/a.wav"', r":1: sound_file_name '/a\.wav' leads out of the folder"),
        ('"sound_file_name": 3', r":1: there is no sound_file_name"),
        ('"sound_file_name": "a.wav", "sound": 3', r":1: sound_file_name names a file for a fact that is told"),
        ('"label_file_name": "a.wav"', r":1: label_file_name names a file for a fact that is told"),
        ('"content_file_name": "a.wav"', r":1: content_file_name names a file"),
        ('"_file_name": "a.wav"', r":1: _file_name names a file"),
    ],
)
def test_names_of_files_that_are_none_are_refused(table, row, message):
    with pytest.raises(DataError, match=message):
        table("metadata.jsonl", f'{{"file_name": "a.png", {row}}}')
