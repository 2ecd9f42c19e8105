"""Examples in tar archives."""

import inspect
import io
import json
import tarfile
from pathlib import Path

import pytest
import torch

from polydiff.data.codec import Codec
from polydiff.data.examples import ExampleSet
from polydiff.data.file import File
from polydiff.data.folder import FolderSource
from polydiff.data.loader import batches
from polydiff.data.shards import Shards, expand, sharded
from polydiff.data.source import Source
from polydiff.errors import DataError
from polydiff.recipe.component import Component
from polydiff.recipe.options import Options, plain


class Words(FolderSource):
    """Files of text; those that begin with "bad" are refused."""

    def __init__(self, path: Path, case: str = "lower") -> None:
        self.case = case
        super().__init__(path, (".word", ".verb"))

    def check(self, path: File) -> None:
        if self.read(path).startswith("bad"):
            raise DataError("is bad")

    def read(self, path: File) -> str:
        return getattr(path.read_bytes().decode(), self.case)()


WebWords = sharded(Words)


class Letters(Codec):
    channels = 1
    shape = (1, 8)

    def shape_for(self, size):
        raise NotImplementedError

    def encode(self, content):
        return torch.tensor([[*content.ljust(8).encode()]], dtype=torch.float32)

    def decode(self, x):
        raise NotImplementedError


@pytest.fixture
def shard(tmp_path):
    def write(name="a.tar", **files):
        with tarfile.open(tmp_path / name, "w") as archive:
            for key, content in files.items():
                entry = tarfile.TarInfo(key.replace("__", "/").replace("_", "."))
                written = content if isinstance(content, bytes) else content.encode()
                entry.size = len(written)
                archive.addfile(entry, io.BytesIO(written))
        return str(tmp_path / name)

    return write


def source(*patterns, **options):
    return WebWords(Shards(patterns), **options)


def test_files_of_one_key_make_an_example(shard):
    facts = json.dumps({"label": 7, "caption": "from json", "year": 1999, "none": None})
    found = source(
        shard(
            a_word="Miau", a_cls="cat\n", a_txt="a tomcat", a_json='{"age": 3}', a_other="?", b_json=facts, b_word="x"
        ),
        case="upper",
    )
    assert isinstance(found, Source)
    assert (found.classes, found.unreadable, len(found)) == (["7", "cat"], [], 2)
    assert (found[0].content, found[0].name, found[0].label, found[0].caption) == (
        "MIAU",
        "a.tar/a.word",
        "cat",
        "a tomcat",
    )
    assert (found[0].attributes, found[1].attributes) == ({"age": 3}, {"year": 1999})
    assert (found[1].label, found[1].caption) == ("7", "from json")


def test_an_archive_of_a_folder_has_its_items_labels_and_order(shard, tmp_path):
    words = {f"{label}__{i}_word": f"{label}{i}" for label in ("cats", "dogs") for i in range(9)}
    for key, text in words.items():
        file = tmp_path / "words" / key.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    cut = list(words.items())
    shard("a-00.tar", **dict(cut[:7]))
    shard("a-01.tar", **dict(cut[7:]))
    folder, shards = Words(tmp_path / "words"), source(f"{tmp_path}/a-{{00..01}}.tar")
    assert [shards.label(i) for i in range(18)] == [folder.label(i) for i in range(18)]
    assert [shards.name(i).partition("/")[2] for i in range(18)] == [folder.name(i) for i in range(18)]
    positions = [range(start, start + 6) for start in range(3, 45, 6)]
    read = [
        torch.cat([batch.x for batch in batches(ExampleSet(each, range(18), Letters()), positions, workers=workers)])
        for each, workers in ((folder, 0), (shards, 0), (shards, 2))
    ]
    assert read[0].equal(read[1])
    assert read[0].equal(read[2])


def test_a_key_ends_at_the_first_dot_but_an_ending_may_be_longer(shard):
    found = source(shard(a_word="picture", a_mask_word="mask", b_v2_word="alone"))
    assert [found[i].content for i in range(2)] == ["picture", "alone"]


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"a_word": "x", "a_verb": "y"}, "a.tar/a: has more than one file to read: a.word, a.verb"),
        ({"a_word": "x", "a_json": "[1]"}, "a.tar/a: its .json is no JSON object, {...}"),
        ({"a_word": "x", "a_json": "{"}, "a.tar/a: its .json is not JSON: Expecting property name"),
        ({"a_word": "x", "a_json": "[" * 10**6}, "a.tar/a: its .json is not JSON: it is nested too deeply"),
        ({"a_word": "x", "a_json": '{"label": 1.5}'}, "a.tar/a: the label is no text: 1.5"),
        ({"a_word": "x", "a_cls": b"\xff"}, "a.tar/a: its .cls is not UTF-8 text (invalid start byte)"),
        ({"a_word": "bad"}, "a.tar/a.word: is bad"),
        ({"a_txt": "x", "b_txt": "y"}, "a.tar/a: has no file that ends in .verb, .word, nor have 1 more keys"),
        ({"metadata_csv": "file_name"}, "a.tar/metadata.csv: is a table, which is not read in shards"),
        ({"a_word": "x", "a_txt": " " * (2**20 + 1)}, "a.tar/a.txt: holds 1048577 bytes, more than 1048576 of facts"),
    ],
)
def test_what_is_wrong_with_one_example_is_said_of_it(shard, files, line):
    found = source(shard(**files, ok_word="fine"))
    assert found.unreadable[0].startswith(line)
    assert found[len(found) - 1].content == "fine"


def test_a_name_that_is_there_twice_counts_once(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for text in (b"one", b"two"):
            entry = tarfile.TarInfo("a.word")
            entry.size = 3
            archive.addfile(entry, io.BytesIO(text))
    found = source(str(tmp_path / "a.tar"))
    assert (len(found), found[0].content) == (1, "one")
    assert found.unreadable == ["a.tar/a.word: is there twice; the first counts"]


def test_an_archive_that_changes_says_so_by_name(shard):
    path = shard(a_word="x" * 2000)
    found = source(path)
    Path(path).unlink()
    with pytest.raises(DataError, match=r"^a\.tar/a\.word: .*a\.tar: cannot be opened: No such file"):
        found[0]


def test_patterns_stand_for_archives(shard, tmp_path, monkeypatch):
    for name in ("a-08.tar", "a-09.tar", "a-10.tar", "b.tar"):
        shard(name, a_word="x")
    monkeypatch.chdir(tmp_path)
    named = lambda *patterns: [Path(place).name for place in Shards(patterns).places()]  # noqa: E731
    assert named("a-{08..10}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar"]
    assert named("{b,a-09}.tar") == ["b.tar", "a-09.tar"]
    assert named("a-*.tar", "b.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "b.tar"]
    assert list(expand("{a,b}-{1..2}")) == ["a-1", "a-2", "b-1", "b-2"]
    with pytest.raises(DataError, match=r"c-\*\.tar: there is no such shard"):
        named("c-*.tar")
    with pytest.raises(DataError, match=r"b\.tar: is named twice"):
        named("b.tar", "*.tar")
    with pytest.raises(DataError, match="stands for 1000000000000 shards"):
        named("{0..999999999999}.tar")


def test_a_recipe_writes_shards_as_texts_and_keeps_the_folders_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = Options.of(WebWords, ())
    assert list(inspect.signature(WebWords).parameters) == ["shards", "case"]
    assert options.defaults == {"case": "lower"}
    one = options.check(Component("webdataset", {"shards": "a-{0..9}.tar"}))
    assert one == {"shards": Shards(("a-{0..9}.tar",))}
    assert plain(one["shards"]) == [f"{tmp_path}/a-{{0..9}}.tar"]
    several = options.check(Component("webdataset", {"shards": ["s3://bucket/a.tar", "/b.tar"]}))
    assert plain(several["shards"]) == ["s3://bucket/a.tar", "/b.tar"]
