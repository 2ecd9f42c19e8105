"""Tar archives that anybody may have made."""

import contextlib
import io
import tarfile
import time
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polydiff.data.file import digest, identity
from polydiff.data.tar import HEADER_LIMIT, Member, members
from polydiff.errors import DataError


def info(name, size=0, kind=tarfile.REGTYPE, link=""):
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size, kind, link
    return made


@pytest.fixture
def archive(tmp_path):
    """Write an archive of `(TarInfo, content)`."""

    def write(*entries, kind=tarfile.PAX_FORMAT):
        path = tmp_path / "a.tar"
        with tarfile.open(path, "w", format=kind) as file:
            for entry, content in entries:
                entry.size = len(content)
                file.addfile(entry, io.BytesIO(content))
        return path

    return write


def listed(path):
    faults = []
    found = {str(member.path): (member.read_bytes(), read()) for member, read in members(str(path), faults.append)}
    assert all(one == other for one, other in found.values())
    return {name: content for name, (content, _) in found.items()}, faults


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_are_read_where_they_lie(archive, kind):
    long = "b/" + "x" * 90 + "/" + "y" * 90 + ".txt"
    path = archive((info("a.txt"), b"one"), (info("./b/c.txt"), b"two" * 9999), (info(long), b""), kind=kind)
    assert listed(path) == ({"a.txt": b"one", "b/c.txt": b"two" * 9999, long: b""}, [])


def test_a_member_can_be_read_from_any_place(archive):
    path = archive((info("a"), b"abc"), (info("b"), b"0123456789"))
    member = [member for member, _ in members(str(path), pytest.fail)][1]
    with member.open("rb") as file:
        assert file.read(2) == b"01"
        assert file.seek(-3, 2) == 7
        assert file.read() == b"789"
        assert (file.read(), file.seek(4), file.tell(), file.read(100)) == (b"", 4, 4, b"456789")
    assert member.stat().st_size == 10
    assert identity(member) == {"path": f"{path}/b", "size": 10, "modified": path.stat().st_mtime_ns}
    (path.parent / "b").write_bytes(b"0123456789")
    assert digest(member) == digest(path.parent / "b")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (info("../a.txt"), "has a name that leads out of the archive"),
        (info("b/../../a.txt"), "has a name that leads out of the archive"),
        (info("/etc/passwd"), "has a name that leads out of the archive"),
        (info("..\\a.txt"), "has a name that leads out of the archive"),
        (info("a.txt", kind=tarfile.SYMTYPE, link="/etc/passwd"), "is a link, which is not followed"),
        (info("a.txt", kind=tarfile.LNKTYPE, link="ok.txt"), "is a link, which is not followed"),
        (info("a.txt", kind=tarfile.CHRTYPE), "is no regular file"),
        (info("a.txt", kind=tarfile.FIFOTYPE), "is no regular file"),
    ],
)
def test_hostile_members_are_left_out_by_name(archive, entry, reason):
    path = archive((info("ok.txt"), b"fine"), (entry, b""), (info("too.txt"), b"fine"))
    name = entry.name
    found, faults = listed(path)
    assert found == {"ok.txt": b"fine", "too.txt": b"fine"}
    assert faults == [f"a.tar/{name}: {reason}"]


def test_sparse_files_are_left_out(archive):
    sparse = info("a.txt")
    sparse.pax_headers = {"GNU.sparse.map": "0,4", "GNU.sparse.size": str(2**50), "GNU.sparse.name": "a.txt"}
    found, faults = listed(archive((info("ok.txt"), b"fine"), (sparse, b"data")))
    assert found == {"ok.txt": b"fine"}
    assert faults == ["a.tar/a.txt: is a sparse file, which is not read"]


def test_what_is_before_a_cut_can_be_read(archive):
    path = archive((info("a.txt"), b"a" * 600), (info("b.txt"), b"b" * 6000))
    path.write_bytes(path.read_bytes()[:3000])
    found, (fault, *more) = listed(path)
    assert found == {"a.txt": b"a" * 600}
    assert fault == "a.tar/b.txt: is truncated: 5048 of its 6000 bytes are missing"
    assert all("a.tar: is damaged or truncated" in line for line in more)


def test_a_header_that_is_no_header_ends_an_archive_with_a_line(archive):
    path = archive((info("a.txt"), b"a"), (info("b.txt"), b"b"))
    content = bytearray(path.read_bytes())
    content[1024:1536] = b"\xff" * 512
    path.write_bytes(content)
    found, faults = listed(path)
    assert found == {"a.txt": b"a"}
    assert len(faults) == 1
    assert faults[0].startswith("a.tar: is damaged or truncated")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_huge_headers_are_not_read(tmp_path, kind):
    path = tmp_path / "a.tar"
    header = info("x", size=2 * HEADER_LIMIT, kind=kind)
    with path.open("wb") as file:
        file.write(info("ok.txt").tobuf(tarfile.USTAR_FORMAT) + header.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(8 * HEADER_LIMIT)
    found, faults = listed(path)
    assert found == {"ok.txt": b""}
    assert len(faults) == 1
    assert "a header has more than 16384 bytes" in faults[0]


def test_a_negative_size_does_not_go_round_in_a_circle(tmp_path):
    path = tmp_path / "a.tar"
    back = info("back.txt", size=-512).tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(info("ok.txt").tobuf(tarfile.USTAR_FORMAT) + back + bytes(1024))
    found, faults = listed(path)
    assert found == {"ok.txt": b""}
    assert len(faults) == 1
    assert "a member has a negative size" in faults[0]


def test_headers_that_make_parsers_slow_take_no_second(tmp_path):
    path = tmp_path / "a.tar"
    digits = b"1" * (HEADER_LIMIT - 1024)
    header = info("x", size=len(digits), kind=tarfile.XHDTYPE).tobuf(tarfile.USTAR_FORMAT)
    path.write_bytes(header + digits + info("a.txt").tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    begin = time.process_time()
    with contextlib.suppress(DataError):
        listed(path)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a tar archive" * 100, "is no tar archive, or damaged"),
        (b"", "is no tar archive, or damaged"),
        (b"\x1f\x8b" + b"\0" * 1000, "is compressed"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path, content, reason):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        listed(tmp_path / "a.tar")


def test_an_archive_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.tar: cannot be opened: No such file"):
        listed(tmp_path / "a.tar")
    with pytest.raises(DataError, match=r"nosuch://a\.tar: cannot be opened: Protocol not known"):
        list(members("nosuch://a.tar", pytest.fail))


def test_archives_of_other_file_systems_are_read():
    import fsspec

    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        entry = info("a.txt", 3)
        made.addfile(entry, io.BytesIO(b"abc"))
    fsspec.filesystem("memory").pipe("/shards/a.tar", file.getvalue())
    (member, _), *more = members("memory://shards/a.tar", pytest.fail)
    assert not more
    assert member == Member("memory://shards/a.tar", PurePosixPath("a.txt"), 512, 3)
    assert member.read_bytes() == b"abc"


def small_archive():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as made:
        for name in ("a.txt", "é" * 60 + "/b.txt", "c.txt"):
            made.addfile(info(name, 5), io.BytesIO(b"abcde"))
    return file.getvalue()[: 12 * 512]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12 * 512 - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, 12 * 512),
    st.booleans(),
)
def test_whatever_is_broken_is_a_fault_or_a_line(tmp_path_factory, changes, length, right_sums):
    content = bytearray(small_archive())
    for place, value in changes:
        content[place] = value
    if right_sums:  # else most changes of headers are found out by their checksums
        for start in range(0, len(content), 512):
            block = bytes(content[start : start + 512])
            if block[257:262] == b"ustar":
                total = sum(block[:148]) + 8 * 32 + sum(block[156:])
                content[start + 148 : start + 156] = b"%06o\0 " % total
    path = tmp_path_factory.getbasetemp() / "mutant.tar"
    path.write_bytes(content[: length or None])
    with contextlib.suppress(DataError):
        found, faults = listed(path)
        assert len(found) + len(faults) > 0
        assert all(".." not in name.split("/") and not name.startswith("/") for name in found)
