"""Tar archives as `tar` unpacks them, on disk, streamed, and by the index of an earlier run."""

import asyncio
import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from dafre_fast.core.events import Event, Notice
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched
from dafre_fast.sources.archives.inventory import Inventory, Link
from dafre_fast.sources.archives.members import Member
from dafre_fast.sources.interface import Span
from dafre_fast.testing.plays import body, status
from dafre_fast.testing.server import Exchange, Server
from tests.commands import here
from tests.sources.archived import (
    FAST,
    KEYS,
    ORIGINALS,
    drawn,
    expected,
    fetch,
    originals,
    served,
    write_index,
    write_tar,
    write_zip,
)

ONCE = replace(FAST, retries=0)
OLD, NEW = drawn(7), ORIGINALS[7]
Entry = tuple[str, bytes] | tuple[str, bytes, str]
"""Name and type of an entry, and the target if it is a link, or name and bytes of a file."""
HARD, SYMBOLIC = tarfile.LNKTYPE, tarfile.SYMTYPE


def packed(*entries: Entry, form: int = tarfile.GNU_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, data, *target in entries:
            info = tarfile.TarInfo(name)
            if target:
                info.type, info.linkname = data, target[0]
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


@contextmanager
def local(folder: Path) -> Iterator[str]:
    yield str(folder / "a.tar")


@contextmanager
def local_gzip(folder: Path) -> Iterator[str]:
    compress(folder)
    yield str(folder / "a.tar.gz")


@contextmanager
def remote(folder: Path) -> Iterator[str]:
    with served(folder) as (address, _):
        yield f"{address}/a.tar"


@contextmanager
def remote_without_ranges(folder: Path) -> Iterator[str]:
    with served(folder, ranges=False) as (address, _):
        yield f"{address}/a.tar"


@contextmanager
def remote_gzip(folder: Path) -> Iterator[str]:
    compress(folder)
    with served(folder) as (address, _):
        yield f"{address}/a.tar.gz"


@contextmanager
def remote_again(folder: Path) -> Iterator[str]:
    """A source of which an earlier run kept an index."""
    with served(folder) as (address, _):
        fetch(f"{address}/a.tar", folder.parent / "out", [12_345])
        yield f"{address}/a.tar"


def compress(folder: Path) -> None:
    (folder / "a.tar.gz").write_bytes(gzip.compress((folder / "a.tar").read_bytes()))


PLACES = (local, local_gzip, remote, remote_without_ranges, remote_gzip, remote_again)
Fetch = Callable[..., dict[int, Fetched]]


@pytest.fixture(params=PLACES, ids=lambda place: place.__name__)
def fetch_from(request, tmp_path) -> Fetch:
    """A function that fetches ids out of an archive with some bytes."""

    def fetch_from(data: bytes, *keys: int, twice: bool = False) -> dict[int, Fetched]:
        (tmp_path / "in").mkdir()
        (tmp_path / "in/a.tar").write_bytes(data)
        with request.param(tmp_path / "in") as spec:
            return fetch(spec, tmp_path / "out", [*keys], ONCE, twice=twice)

    return fetch_from


# Members that are written again.


@pytest.mark.parametrize("second", ["7.jpg", "./7.jpg"])
def test_of_a_member_that_is_written_again_the_last_counts(fetch_from, tmp_path, second) -> None:
    data = packed(("7.jpg", OLD), ("1007.png", ORIGINALS[1007]), (second, NEW))
    found = fetch_from(data, 7, 1007, twice=True)
    assert {one.reason for one in found.values()} == {None}
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW, "0007/1007.png": ORIGINALS[1007]}


def test_a_member_that_is_written_again_with_the_same_bytes_is_handed_over_once(
    fetch_from, tmp_path
) -> None:
    fetch_from(packed(("7.jpg", NEW), ("7.jpg", NEW)), 7)
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW}


def test_a_first_member_does_not_stand_for_a_last_one_that_is_none(fetch_from, tmp_path) -> None:
    found = fetch_from(packed(("7.jpg", OLD), ("7.jpg", b"no image" * 99)), 7, twice=True)
    assert (found[7].reason, originals(tmp_path / "out")) == (Reason.NOT_AN_IMAGE, {})


def test_a_member_that_is_written_again_is_the_last_one_of_a_download(tmp_path) -> None:
    faces = tmp_path / "faces.tsv"
    faces.write_text("".join(f"0007\\{n}.jpg\t5\t0.1, 0.1, 0.5, 0.5 0.9\n" for n in (7, 1007)))
    (tmp_path / "in").mkdir()
    data = packed(("7.jpg", OLD), ("1007.png", ORIGINALS[1007]), ("7.jpg", NEW))
    (tmp_path / "in/a.tar").write_bytes(data)
    with served(tmp_path / "in") as (address, _):
        source = ("--source", f"{address}/a.tar", "--output", "out", "--json")
        done = here("download", "--faces", faces, "--min-images", "1", *source, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert originals(tmp_path / "out")["0007/7.jpg"] == NEW


# Links.


@pytest.mark.parametrize(
    "entries",
    [
        [("1007.jpg", NEW), ("7.jpg", HARD, "1007.jpg")],
        [("1007.jpg", NEW), ("7.jpg", SYMBOLIC, "1007.jpg")],
        [("7.jpg", SYMBOLIC, "1007.jpg"), ("1007.jpg", NEW)],
        [("blobs/ab", NEW), ("a/7.jpg", HARD, "blobs/ab")],
        [("blobs/ab", NEW), ("a/7.jpg", SYMBOLIC, "../blobs/ab")],
        [("a/1.jpg", NEW), ("a/7.jpg", SYMBOLIC, "./1.jpg")],
        [("x", NEW), ("y", SYMBOLIC, "x"), ("z", HARD, "y"), ("7.jpg", SYMBOLIC, "z")],
        [("1.jpg", NEW), ("7.jpg", HARD, "1.jpg"), ("1.jpg", OLD)],
        [("1.jpg", OLD), ("7.jpg", SYMBOLIC, "1.jpg"), ("1.jpg", NEW)],
        [("7.jpg", SYMBOLIC, "1.jpg"), ("1.jpg", OLD), ("7.jpg", NEW)],
        [("v2/x", NEW), ("latest", SYMBOLIC, "v2"), ("7.jpg", SYMBOLIC, "latest/x")],
    ],
)
def test_a_link_is_what_it_leads_to(fetch_from, tmp_path, entries) -> None:
    found = fetch_from(packed(*entries), 7)
    assert found[7].url.endswith("7.jpg")
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_a_link_may_lead_to_a_long_name(fetch_from, tmp_path, form) -> None:
    long = f"{'ü' * 150}/1"
    data = packed((long, NEW), ("7.jpg", HARD, long), ("1007.jpg", SYMBOLIC, long), form=form)
    fetch_from(data, 7, 1007)
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW, "0007/1007.jpg": NEW}


def test_a_link_and_what_it_leads_to_are_both_had(fetch_from, tmp_path) -> None:
    links = [("1007.jpg", HARD, "7.jpg"), ("2007.jpg", SYMBOLIC, "1007.jpg")]
    fetch_from(packed(("7.jpg", NEW), *links), 7, 1007, 2007)
    assert originals(tmp_path / "out") == {f"0007/{key}.jpg": NEW for key in (7, 1007, 2007)}


@pytest.mark.parametrize(
    "entries",
    [
        [("7.jpg", SYMBOLIC, "7.jpg")],
        [("7.jpg", SYMBOLIC, "8.jpg"), ("8.jpg", SYMBOLIC, "7.jpg")],
        [("7.jpg", HARD, "8.jpg"), ("8.jpg", HARD, "7.jpg")],
        [("a", SYMBOLIC, "b"), ("b", SYMBOLIC, "a"), ("7.jpg", SYMBOLIC, "a/x")],
        [("7.jpg", SYMBOLIC, "7.jpg/7.jpg")],
    ],
)
def test_a_link_that_leads_in_a_circle_is_refused(fetch_from, entries) -> None:
    found = fetch_from(packed(*entries), 7)
    assert found[7].reason is Reason.UNSUPPORTED_FORMAT
    assert "circle" in found[7].detail


@pytest.mark.parametrize("target", ["9.jpg", "/etc/passwd", "../../../../../etc/passwd", ""])
@pytest.mark.parametrize("kind", [HARD, SYMBOLIC], ids=["hard", "symbolic"])
def test_a_link_that_leads_out_of_the_archive_is_missing(
    fetch_from, tmp_path, kind, target
) -> None:
    found = fetch_from(packed(("7.jpg", kind, target)), 7)
    assert (found[7].reason, originals(tmp_path / "out")) == (Reason.MISSING_ORIGINAL, {})


def test_a_hard_link_that_tells_a_size_has_no_bytes(fetch_from, tmp_path) -> None:
    link = tarfile.TarInfo("7.jpg")
    link.type, link.linkname, link.size = HARD, "1.jpg", len(NEW)
    header = link.tobuf(tarfile.USTAR_FORMAT)
    data = packed(("1.jpg", NEW))
    end = 512 + -(-len(NEW) // 512) * 512
    rest = packed(("1007.png", ORIGINALS[1007]))
    fetch_from(data[:end] + header + rest, 7, 1007)
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW, "0007/1007.png": ORIGINALS[1007]}


def test_an_entry_is_found_in_any_form_of_its_name() -> None:
    inventory = Inventory()
    inventory.add(Member("./a//b/../1.jpg", Span(0, 5), 5))
    inventory.add(Link("/c/7.jpg", "../a/1.jpg", hard=False))
    assert inventory.index()["7"] == Member("/c/7.jpg", Span(0, 5), 5)


# Headers.


def test_a_header_for_the_whole_archive_is_passed_over(fetch_from, tmp_path) -> None:
    file = io.BytesIO()
    pax = {"comment": "path=8.jpg\n" * 99}
    with tarfile.open(fileobj=file, mode="w", pax_headers=pax) as archive:
        info = tarfile.TarInfo("7.jpg")
        info.size = len(NEW)
        archive.addfile(info, io.BytesIO(NEW))
    fetch_from(file.getvalue(), 7)
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW}


def test_what_looks_like_a_record_in_another_record_is_none(fetch_from, tmp_path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("7.jpg")
        info.size, info.pax_headers = len(NEW), {"comment": "\n13 path=8.jpg\n"}
        archive.addfile(info, io.BytesIO(NEW))
    fetch_from(file.getvalue(), 7)
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW}


def test_an_extended_header_that_is_none_is_passed_over(fetch_from, tmp_path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 7
    fetch_from(info.tobuf() + b"99999 a".ljust(512, b"\0") + packed(("7.jpg", NEW)), 7)
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW}


# The end.


@pytest.mark.parametrize("blocks", [0, 1, 2, 20])
def test_an_archive_may_end_without_empty_blocks(fetch_from, tmp_path, blocks) -> None:
    data = packed(("7.jpg", NEW), ("1007.png", ORIGINALS[1007])).rstrip(b"\0")
    data = data.ljust(-(-len(data) // 512) * 512, b"\0") + bytes(512 * blocks)
    found = fetch_from(data, 7, 1007, 9)
    assert (found[7].reason, found[9].reason) == (None, Reason.MISSING_ORIGINAL)
    assert len(originals(tmp_path / "out")) == 2


@pytest.mark.parametrize("ranges", [True, False])
def test_an_archive_of_unknown_size_ends_where_it_ends_twice(tmp_path, ranges) -> None:
    write_tar(tmp_path / "in/a.tar", KEYS)
    with tarfile.open(tmp_path / "in/a.tar") as archive:
        last = archive.getmembers()[-1]
    data = (tmp_path / "in/a.tar").read_bytes()
    (tmp_path / "in/a.tar").write_bytes(data[: last.offset_data + 512])
    with served(tmp_path / "in", sized=False, ranges=ranges) as (address, _):
        found = fetch(f"{address}/a.tar", tmp_path / "out", [*KEYS, 9])
    assert found[9].reason is Reason.MISSING_ORIGINAL
    assert originals(tmp_path / "out") == expected()


def test_an_index_of_an_archive_without_end_is_kept(tmp_path) -> None:
    data = packed(("7.jpg", NEW), ("1007.png", ORIGINALS[1007])).rstrip(b"\0")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.tar").write_bytes(data.ljust(-(-len(data) // 512) * 512, b"\0"))
    with served(tmp_path / "in") as (address, asked):
        fetch(f"{address}/a.tar", tmp_path / "out", [7, 9])
        asked.clear()
        found = fetch(f"{address}/a.tar", tmp_path / "out", [1007, 9])
    assert (found[1007].reason, found[9].reason) == (None, Reason.MISSING_ORIGINAL)
    assert "/a.tar" not in asked


def test_an_archive_that_ends_in_the_padding_of_a_member_is_damaged_and_not_asked_for_again(
    tmp_path,
) -> None:
    comment = 1000 - len(NEW) % 512
    file = NEW[:2] + b"\xff\xfe" + (comment + 2).to_bytes(2, "big") + bytes(comment) + NEW[2:]
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.tar").write_bytes(packed(("7.jpg", file))[: 512 + len(file) + 2])
    with served(tmp_path / "in") as (address, asked):
        found = fetch(f"{address}/a.tar", tmp_path / "out", [7, 9])
    assert (found[7].reason, found[9].reason) == (None, Reason.BAD_INDEX)
    assert asked == {"/a.json": 1, "/a.tar": 1}


def test_an_empty_file_is_no_archive(fetch_from) -> None:
    assert fetch_from(b"", 7)[7].reason is Reason.BAD_INDEX


def test_gzip_data_that_break_off_are_not_the_end_of_the_archive(tmp_path) -> None:
    end = 512 + -(-len(NEW) // 512) * 512
    data = gzip.compress(packed(("7.jpg", NEW))[:end])
    (tmp_path / "a.tar.gz").write_bytes(data[:-3])
    found = fetch(tmp_path / "a.tar.gz", tmp_path / "out", [7, 9], ONCE)
    assert (found[7].reason, found[9].reason) == (None, Reason.NETWORK_ERROR)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip"])
def test_a_compressed_archive_may_come_as_compressed_data(tmp_path, coding) -> None:
    data = gzip.compress(packed(("7.jpg", NEW)))
    said = (f"Content-Encoding: {coding}", "Content-Type: application/x-tar")

    async def main() -> None:
        server = Server(body(*said, of=lambda _: data))
        async with server.on("127.0.0.1") as port:
            spec = f"http://127.0.0.1:{port}/a.tar.gz"
            await asyncio.to_thread(fetch, spec, tmp_path / "out", [7], ONCE)

    asyncio.run(main())
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW}


# Ranges that are answered in part.


@pytest.mark.parametrize("most", [300, 4096])
@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("index", [True, False])
def test_the_rest_of_a_range_is_asked_for(tmp_path, most, sized, index) -> None:
    write_tar(tmp_path / "in/a.tar", KEYS)
    if index:
        write_index(tmp_path / "in/a.tar")
    with served(tmp_path / "in", most=most, sized=sized) as (address, _):
        fetch(f"{address}/a.tar", tmp_path / "out", KEYS[:2], ONCE)
        fetch(f"{address}/a.tar", tmp_path / "out", KEYS[2:], replace(FAST, connections_per_host=1))
    assert originals(tmp_path / "out") == expected()


def test_the_rest_of_a_directory_is_asked_for(tmp_path) -> None:
    write_zip(tmp_path / "in/a.zip", KEYS)
    with served(tmp_path / "in", most=900) as (address, _):
        fetch(f"{address}/a.zip", tmp_path / "out", KEYS, ONCE)
    assert originals(tmp_path / "out") == expected()


# What lies beside an archive.


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b'{"id": 7}', b'{"files": ["7.jpg"]}', b"<html></html>", b"\xff\xfe",
     json.dumps({"files": {"7.jpg": {"width": 3}}}).encode(), b'{"files": 7, "filesize": 3}'],
)  # fmt: skip
@pytest.mark.parametrize("place", [local, remote], ids=["here", "remote"])
def test_what_is_no_index_is_ignored_with_a_notice(tmp_path, text, place) -> None:
    told: list[Event] = []
    write_tar(tmp_path / "in/a.tar", KEYS)
    (tmp_path / "in/a.json").write_bytes(text)
    with place(tmp_path / "in") as spec:
        fetch(spec, tmp_path / "out", tell=told.append)
    (notice,) = [event.text for event in told if isinstance(event, Notice)]
    assert "a.json" in notice
    assert originals(tmp_path / "out") == expected()


def test_an_index_that_is_only_guessed_may_be_forbidden(tmp_path) -> None:
    """Stores forbid what is not there to those who may not list them."""
    data = packed(("7.jpg", NEW))

    async def store(x: Exchange) -> None:
        tar = body(of=lambda _: data)
        await (status("403 Forbidden") if x.path.endswith(".json") else tar)(x)

    async def main() -> None:
        async with Server(store).on("127.0.0.1") as port:
            spec = f"http://127.0.0.1:{port}/a.tar"
            await asyncio.to_thread(fetch, spec, tmp_path / "out", [7], ONCE)

    asyncio.run(main())
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW}


def test_of_many_files_that_are_no_index_one_is_told(tmp_path) -> None:
    told: list[Event] = []
    for name, keys in (("a", KEYS[:2]), ("b", KEYS[2:])):
        write_tar(tmp_path / f"in/{name}.tar", keys)
        (tmp_path / f"in/{name}.json").write_text("{}")
    fetch(tmp_path / "in", tmp_path / "out", tell=told.append)
    assert len([event for event in told if isinstance(event, Notice)]) == 1
    assert originals(tmp_path / "out") == expected()


def test_an_index_may_name_the_same_bytes_twice(tmp_path) -> None:
    (tmp_path / "a.tar").write_bytes(packed(("7.jpg", NEW), ("1007.jpg", HARD, "7.jpg")))
    place = {"offset": 512, "size": len(NEW)}
    files = {"7.jpg": place, "1007.jpg": place}
    (tmp_path / "a.json").write_text(json.dumps({"files": files}))
    fetch(tmp_path / "a.tar", tmp_path / "out", [7, 1007])
    assert originals(tmp_path / "out") == {"0007/7.jpg": NEW, "0007/1007.jpg": NEW}


@pytest.mark.parametrize("place", [local, remote], ids=["here", "remote"])
def test_an_index_of_another_archive_makes_no_refusal_for_good(tmp_path, place) -> None:
    """The archive was packed anew: at the place of an image there is something else."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.tar").write_bytes(packed(("new.txt", bytes(9999)), ("7.jpg", NEW)))
    index = {"filesize": 4096, "files": {"7.jpg": {"offset": 512, "size": len(NEW)}}}
    (tmp_path / "in/a.json").write_text(json.dumps(index))
    with place(tmp_path / "in") as spec:
        found = fetch(spec, tmp_path / "out", [7])
    assert (found[7].reason, found[7].reason.transient) == (Reason.BAD_INDEX, True)
    assert "a.json: for an archive of 4,096 bytes" in found[7].detail
