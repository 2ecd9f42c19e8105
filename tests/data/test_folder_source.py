"""What folder sources of all modalities share."""

import pytest

from polydiff.data.folder import FolderSource
from polydiff.data.source import Source
from polydiff.errors import DataError


class Texts(FolderSource):
    """Files of text; one that begins with "bad" is refused at the scan, one with "worse" when it is read."""

    def __init__(self, path):
        super().__init__(path, (".txt",))

    def check(self, path):
        if path.read_text().startswith("bad"):
            raise DataError("is bad")

    def read(self, path):
        if path.read_text().startswith("worse"):
            raise DataError("is worse")
        return path.read_text()


@pytest.fixture
def texts(tmp_path):
    def make(**texts):
        for name, text in texts.items():
            path = tmp_path / f"{name.replace('__', '/')}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return Texts(tmp_path)

    return make


def test_files_become_examples(texts, tmp_path):
    (tmp_path / "metadata.csv").write_text("file_name,caption,age\ncats/tom.txt,a tomcat,3\n")
    source = texts(cats__tom="miau", dogs__rex="wuff", top="...")
    assert isinstance(source, Source)
    assert (len(source), source.classes, source.unreadable) == (3, ["cats", "dogs"], [])
    assert [source.name(i) for i in range(3)] == ["cats/tom.txt", "dogs/rex.txt", "top.txt"]
    assert [source.label(i) for i in range(3)] == ["cats", "dogs", None]
    tom = source[0]
    assert (tom.content, tom.name, tom.label, tom.caption) == ("miau", "cats/tom.txt", "cats", "a tomcat")
    assert tom.get("age") == 3


def test_files_that_fail_the_check_are_left_out_by_name(texts):
    source = texts(cats__tom="miau", cats__garfield="bad lasagne")
    assert [source.name(i) for i in range(len(source))] == ["cats/tom.txt"]
    assert source.unreadable == ["cats/garfield.txt: is bad"]


def test_a_label_of_which_nothing_is_left_is_reported(texts):
    source = texts(cats__tom="miau", dogs__rex="bad dog")
    assert source.classes == ["cats"]
    assert source.unreadable == ["dogs/rex.txt: is bad", "label 'dogs': none of its files can be read"]


def test_a_file_that_fails_later_says_its_name(texts):
    source = texts(a="worse")
    with pytest.raises(DataError, match=r"^a\.txt: is worse$"):
        source[0]


def test_a_folder_of_which_nothing_can_be_read_is_refused(texts):
    with pytest.raises(DataError, match=r"none of its 2 files can be read; b\.txt: is bad"):
        texts(a="bad", b="bad")
