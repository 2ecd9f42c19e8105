"""Tables of Parquet files and of saved data sets, and the files in their cells."""

import io
import json
import multiprocessing
import sys
from functools import partial
from multiprocessing.reduction import ForkingPickler

import pytest

datasets = pytest.importorskip("datasets")
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from polydiff.data import hugging_face as library  # noqa: E402
from polydiff.data.file import digest, identity  # noqa: E402
from polydiff.data.folder import FolderSource  # noqa: E402
from polydiff.data.tables import Table, hugging_face, parquet, tabled  # noqa: E402
from polydiff.errors import DataError, PluginError, UsageError  # noqa: E402
from polydiff.plugins.specs import SourceSpec  # noqa: E402
from polydiff.recipe.options import Options  # noqa: E402


class Texts(FolderSource):
    """Texts; "bad" is none."""

    def __init__(self, path, shout: bool = False):
        self.shout = shout
        super().__init__(path, {".txt"})

    def check(self, path):
        if path.read_bytes() == b"bad":
            raise DataError("is bad")

    def read(self, path):
        text = path.open("rb").read().decode()
        return text.upper() if self.shout else text


TEXTS = [b"zero", b"one", b"two", b"bad", b"four"]


def cells(texts, names=None):
    names = names or [f"{place}.txt" for place in range(len(texts))]
    return [{"bytes": text, "path": name} for text, name in zip(texts, names, strict=True)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    datasets.disable_progress_bars()


@pytest.fixture
def write(tmp_path):
    """Write columns to a Parquet file with pyarrow, which knows nothing of `datasets`."""

    def write(name="a.parquet", **columns):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    return write


def classes(count):
    """Make a data set as the hub has them: classes by number, files with their names."""
    features = datasets.Features(
        {
            "text": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "kind": datasets.ClassLabel(names=["cat", "dog"]),
            "words": datasets.Value("string"),
            "size": datasets.Value("float32"),
        }
    )
    rows = {
        "text": cells([f"text {place}".encode() for place in range(count)]),
        "kind": [place % 2 if place else None for place in range(count)],
        "words": [f"the {place}" for place in range(count)],
        "size": [place / 2 for place in range(count)],
    }
    return datasets.Dataset.from_dict(rows, features=features)


def test_rows_become_examples(write):
    numbers, lists = [0.5, None, 2.0, 3.0, 4.0], [[1], [2], [3], [4], [5]]
    file = write(image=cells(TEXTS), label=["a", "b", None, "a", "b"], caption=list("vwxyz"), n=numbers, more=lists)
    source = tabled(Texts, parquet)(files=file)
    assert [source[index].content for index in range(len(source))] == ["zero", "one", "two", "four"]
    assert source.unreadable == ["row 3 (3.txt): is bad"]
    assert source.classes == ["a", "b"]
    first, second, last = source[0], source[1], source[3]
    assert (first.name, first.label, first.caption, first.attributes) == ("row 0 (0.txt)", "a", "v", {"n": 0.5})
    assert second.attributes == {}  # null is not known; lists are no facts
    assert (last.name, last.label) == ("row 4 (4.txt)", "b")


def test_classes_are_named_and_columns_chosen(tmp_path):
    data = classes(4)
    data.to_parquet(tmp_path / "a.parquet")
    data.save_to_disk(tmp_path / "saved")
    for table in (
        parquet(tmp_path / "a.parquet", label="kind", caption="words"),
        hugging_face(path=tmp_path / "saved", label="kind", caption="words"),
    ):
        source = Texts(table)
        assert [source.label(index) for index in range(4)] == [None, "dog", "cat", "dog"]
        assert source[2].caption == "the 2"
        assert source[2].attributes == {"size": 1.0}
    assert Texts(parquet(tmp_path / "a.parquet"))[1].attributes == {"kind": "dog", "words": "the 1", "size": 0.5}


def test_a_plain_binary_column_has_no_names(write):
    file = write(blob=TEXTS, label=[1, 2, 1, 2, 1])
    source = tabled(Texts, parquet)(files=file, suffix=".txt", shout=True)
    assert (source[0].name, source[0].content, source[0].label) == ("row 0", "ZERO", "1")
    assert source.file(0).suffix == ".txt"
    assert tabled(Texts, parquet)(files=file).file(0).suffix == ""
    with pytest.raises(UsageError, match=r"unknown ending '.text'; did you mean '.txt'"):
        parquet(file, suffix=".text").scan({".txt"})


def test_the_rows_of_several_files_are_joined_in_order(write, tmp_path):
    for name, text in (("many/b/2.parquet", b"c"), ("many/1.parquet", b"a"), ("many/1-more.parquet", b"b")):
        write(name, text=cells([text]))
    expected = {"many": "bac", "many/*.parquet": "ba", "many/**/2.parquet": "c"}
    for pattern, texts in expected.items():
        source = Texts(parquet(tmp_path / pattern))
        assert "".join(source[index].content for index in range(len(source))) == texts
    source = Texts(parquet((tmp_path / "many/b/2.parquet", tmp_path / "many/1.parquet")))
    assert "".join(source[index].content for index in range(2)) == "ca"


def test_a_file_that_is_written_anew_is_read_anew(write):
    first = Texts(parquet(write(text=cells([b"old"]))))
    second = Texts(parquet(write(text=cells([b"new one"]))))
    assert (first[0].content, second[0].content) == ("old", "new one")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "imagge"}, "there is no column 'imagge' .*did you mean 'image'"),
        ({"column": "label"}, "the column 'label' holds text, no files"),
        ({"label": "lable"}, "there is no column 'lable' .*did you mean 'label'"),
        ({"label": "n"}, "the column 'n' holds number, no class or text or whole number"),
        ({"caption": "n"}, "the column 'n' holds number, no text or class"),
        ({}, "image and other hold files; say one: data.source.column=image"),
    ],
)
def test_a_column_that_is_missing_or_another_is_reported(write, options, message):
    file = write(image=cells(TEXTS[:2]), other=[b"x", b"y"], label=["a", "b"], n=[0.5, 1.5])
    with pytest.raises(DataError, match=message):
        Texts(parquet(file, **({"column": "image"} if options else {}) | options))


def test_a_default_column_of_another_kind_is_reported_and_left_out(write):
    source = Texts(parquet(write(text=cells(TEXTS[:2]), label=[0.5, 1.5])))
    assert source.unreadable == ["the column 'label' holds number, no class or text or whole number, and is no label"]
    assert source.classes == []
    assert source[0].attributes == {}


def test_what_holds_no_files_is_refused(write):
    with pytest.raises(DataError, match=r"no column holds files \(bytes\); it has n"):
        Texts(parquet(write(n=[1])))


def test_a_cell_that_names_a_file_does_not_open_it(write, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    names = [str(tmp_path / "secret.txt"), "../../1.txt", None]
    source = Texts(parquet(write(text=cells([None, b"one", None], names))))
    assert [source[index].content for index in range(len(source))] == ["one"]
    assert source[0].name == "row 1 (1.txt)"
    assert source.unreadable == [f"row 0 (secret.txt): names {names[0]}, but does not hold it", "row 2: is empty"]


@pytest.mark.parametrize("content", [b"", b"PAR1 garbage", b"x" * 1000])
def test_a_file_that_is_none_is_named(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: is no Parquet file, or damaged"):
        parquet(tmp_path / "a.parquet")


def test_damage_within_a_file_is_named(write, tmp_path):
    file = write(text=cells([bytes(range(256)) * 40]))
    content = file.read_bytes()
    file.write_bytes(content[:4] + b"\xff" * 200 + content[204:])
    with pytest.raises(DataError, match=r"a\.parquet: "):
        parquet(file)


def test_files_of_other_columns_are_named(write, tmp_path):
    write("many/a.parquet", text=cells([b"a"]), n=[1])
    write("many/b.parquet", text=cells([b"b"]), m=[1])
    with pytest.raises(DataError, match=r"b\.parquet: has not the columns of a\.parquet: m, n"):
        parquet(tmp_path / "many")


def test_what_is_not_there_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    for files, message in (
        ("no.parquet", "no such Parquet"),
        ("*.parquet", "no such"),
        ("empty", "no Parquet file in"),
    ):
        with pytest.raises(DataError, match=message):
            parquet(tmp_path / files)


def test_the_splits_of_a_saved_data_set(tmp_path):
    datasets.DatasetDict({"train": classes(3), "test": classes(2)}).save_to_disk(tmp_path / "saved")
    assert len(Texts(hugging_face(path=tmp_path / "saved"))) == 3
    assert len(Texts(hugging_face(path=tmp_path / "saved", split="test"))) == 2
    with pytest.raises(DataError, match="unknown split 'tset'; did you mean 'test'"):
        hugging_face(path=tmp_path / "saved", split="tset")
    datasets.DatasetDict({"a": classes(3), "b": classes(2)}).save_to_disk(tmp_path / "two")
    with pytest.raises(DataError, match=r"has the splits a, b; say one: data.source.split=a"):
        hugging_face(path=tmp_path / "two")
    with pytest.raises(DataError, match="has no splits"):
        hugging_face(path=tmp_path / "saved" / "train", split="train")


def test_a_saved_data_set_stays_in_its_folder(tmp_path):
    classes(2).save_to_disk(tmp_path / "secret")
    classes(2).save_to_disk(tmp_path / "saved")
    state = json.loads((tmp_path / "saved/state.json").read_text())
    state["_data_files"][0]["filename"] = "../secret/data-00000-of-00001.arrow"
    (tmp_path / "saved/state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match="leads out of the folder"):
        hugging_face(path=tmp_path / "saved")
    (tmp_path / "dict").mkdir()
    (tmp_path / "dict/dataset_dict.json").write_text('{"splits": ["../secret"]}')
    with pytest.raises(DataError, match="leads out of the folder"):
        hugging_face(path=tmp_path / "dict")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"_data_files": 3}', '{"_data_files": [3]}', "[" * 100_000])
def test_a_broken_state_is_named(tmp_path, content):
    classes(2).save_to_disk(tmp_path / "saved")
    (tmp_path / "saved/state.json").write_text(content)
    with pytest.raises(DataError, match=r"state\.json: "):
        hugging_face(path=tmp_path / "saved")


def test_what_is_no_saved_data_set_is_named(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        hugging_face(path=tmp_path / "none")
    with pytest.raises(DataError, match="holds no data set that `save_to_disk`"):
        hugging_face(path=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say either repo"),
        ({"repo": "a/b", "path": "x"}, "say either repo"),
        ({"path": "x", "revision": "main"}, "config and revision are of a data set of the hub"),
        ({"repo": "parquet"}, "'parquet' is no data set of the hub; say OWNER/NAME"),
        ({"repo": "../x"}, "is no data set of the hub"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        hugging_face(**{**options, **({"path": tmp_path} if "path" in options else {})})


def test_without_network_there_is_one_line_and_no_waiting(monkeypatch, capfd):
    def refuse(*_, **__):
        raise ConnectionError("Connection refused\nand more")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", refuse)
    with pytest.raises(DataError, match=r"^a/b: the Hugging Face hub cannot be reached \(Connection refused\)[^\n]*$"):
        hugging_face(repo="a/b")
    with pytest.raises(DataError, match="which revision=v1 needs"):
        hugging_face(repo="a/b", revision="v1")
    assert not datasets.config.HF_HUB_OFFLINE
    assert capfd.readouterr() == ("", "")


def test_a_data_set_of_the_hub_is_fetched_by_split(monkeypatch, write):
    """As far as that goes without the hub: its files lie here."""
    files = {
        "train": str(write("1.parquet", text=cells([b"a", b"b"]))),
        "test": str(write("2.parquet", text=cells([b"c"]))),
    }
    real, asked = datasets.load_dataset_builder, []

    def builder(*args, **options):
        asked.append((args, options))
        return real("parquet", data_files=files)

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: None)
    monkeypatch.setattr("datasets.load_dataset_builder", builder)
    assert read(Texts(hugging_face(repo="a/b"))) == ["a", "b"]
    assert read(Texts(hugging_face(repo="a/b", config="big", split="test", revision="v1"))) == ["c"]
    assert asked == [(("a/b", None), {"revision": None}), (("a/b", "big"), {"revision": "v1"})]
    with pytest.raises(DataError, match="a/b: unknown split 'tset'; did you mean 'test'"):
        hugging_face(repo="a/b", split="tset")


def test_the_kinds_that_hold_no_files_are_refused(monkeypatch):
    class Builder:
        __module__ = "datasets.packaged_modules.imagefolder.imagefolder"

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: None)
    monkeypatch.setattr("datasets.load_dataset_builder", lambda *_, **__: Builder())
    with pytest.raises(DataError, match=r"a/b: is stored as imagefolder.*revision=refs/convert/parquet"):
        hugging_face(repo="a/b")


def test_without_the_library_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    (tmp_path / "a.parquet").touch()
    with pytest.raises(PluginError, match=r"pip install 'polydiff\[hf\]'"):
        parquet(tmp_path / "a.parquet")


def test_the_options_are_those_of_the_table_and_of_the_folder():
    options = Options.of(tabled(Texts, parquet), ())
    assert list(options.types) == ["files", "column", "label", "caption", "suffix", "shout"]
    assert "files" not in options.defaults
    hub = Options.of(tabled(Texts, hugging_face), ())
    assert set(hub.types) == {"repo", "path", "config", "split", "revision", *options.types} - {"files"}
    assert SourceSpec.kind == "source"


def test_a_cell_is_a_file(write):
    file = Texts(parquet(write(text=cells([b"some text"])))).file(0)
    assert (file.name, file.suffix, file.stat().st_size, file.read_bytes()) == ("0.txt", ".txt", 9, b"some text")
    with file.open("rb") as opened:
        assert opened.seek(-4, io.SEEK_END) == 5
        assert (opened.read(2), opened.tell(), opened.read(), opened.read()) == (b"te", 7, b"xt", b"")
        opened.seek(100)
        assert opened.read(1) == b""
    assert identity(file)["sha256"] == digest(file)
    again = Texts(parquet(write("b.parquet", text=cells([b"", b"some text"], ["1.txt", "0.txt"])))).file(1)
    assert identity(again) == identity(file)  # by content, wherever it lies


def read(source):
    return [source[index].content for index in range(len(source))]


def test_other_processes_read_the_same(write):
    expected = list(map(str, range(100)))
    source = Texts(parquet(write(text=cells([text.encode() for text in expected]))))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.apply(partial(read, source)) == expected
    assert read(ForkingPickler.loads(ForkingPickler.dumps(source))) == expected  # what other ways to start them do


def test_the_screen_is_left_as_it_was(write, capfd):
    datasets.enable_progress_bars()
    parquet(write(text=cells([b"a"])))
    assert not datasets.are_progress_bars_disabled()
    assert capfd.readouterr() == ("", "")


def test_a_table_without_a_file_is_refused(write):
    with pytest.raises(DataError, match="there is no file to read in it; row 0: is empty"):
        Texts(parquet(write(text=pa.array([None, None], pa.binary()))))


def test_the_library_is_imported_when_it_is_needed():
    assert not hasattr(library, "datasets")
    assert Table.__dataclass_fields__["rows"].type == "Dataset"
