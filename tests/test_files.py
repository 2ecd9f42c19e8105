"""JSON that anybody may have written, and paths that lead anywhere."""

import pytest

from polydiff import files
from polydiff.errors import LONGEST_NAME, printable, short


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '"\\ud800"', b"\xff", b"\xed\xa0\x80", "9" * 5000, "", "{"]
)
def test_json_that_is_none_is_a_value_error_of_one_line(text):
    with pytest.raises(ValueError, match=r".+") as caught:
        files.parse_json(text)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "value"), [('"\\ud83e\\uddc0"', "🧀"), (b'{"a": "\xc3\xa9"}', {"a": "é"}), ("1.5", 1.5)]
)
def test_json_is_read(text, value):
    assert files.parse_json(text) == value


def test_a_file_without_end_is_not_read(tmp_path):
    (tmp_path / "zeros.json").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=f"more than {files.JSON_LIMIT} bytes"):
        files.read_json(tmp_path / "zeros.json")


@pytest.mark.parametrize("name", ["..", "../b", "/etc/passwd", "link", "round", "a\0b"])
def test_what_leads_out_is_not_inside(tmp_path, name):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "round").symlink_to("round")
    assert not files.is_inside(folder, folder / name)
    assert files.is_inside(folder, folder / "b/../c")


def test_names_do_not_move_the_cursor():
    assert printable("a\x1b[2J\nb\u202ec\ud800 é🧀\u3000") == r"a\x1b[2J\nb\u202ec\ud800 é🧀" + "\u3000"
    assert len(short("x\n" * 1000)) == LONGEST_NAME
