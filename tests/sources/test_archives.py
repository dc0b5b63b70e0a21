"""The same originals out of every kind of archive, from here and over HTTP."""

import asyncio
import gzip
import io
import json
import re
import tarfile
import zipfile
from collections.abc import ItemsView, Iterator
from pathlib import Path

import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.archives.desk import Group
from dafre_fast.sources.archives.members import Member, by_key
from dafre_fast.sources.choose import choose
from dafre_fast.sources.interface import Check, Planned, Span
from tests.hosts import host
from tests.sources.archived import (
    FAST,
    KEYS,
    ORIGINALS,
    expected,
    fetch,
    originals,
    served,
    write_index,
    write_tar,
    write_zip,
)


def test_a_local_tar_without_index_gives_its_originals(tmp_path) -> None:
    write_tar(tmp_path / "all.tar", KEYS)
    found = fetch(tmp_path / "all.tar", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()
    assert {fetched.proof for fetched in found.values()} == {Proof.UNVERIFIED}


def test_an_index_beside_a_tar_proves_its_originals(tmp_path) -> None:
    write_tar(tmp_path / "all.tar", KEYS)
    write_index(tmp_path / "all.tar")
    found = fetch(tmp_path / "all.tar", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()
    assert {fetched.proof for fetched in found.values()} == {Proof.SHA256}


def test_a_folder_of_archives_of_several_kinds_is_one_source(tmp_path) -> None:
    write_tar(tmp_path / "in/a.tar", KEYS[:2])
    write_zip(tmp_path / "in/b.zip", KEYS[2:4])
    write_tar(tmp_path / "elsewhere/c.tar.gz", KEYS[4:])
    (tmp_path / "in/deep").symlink_to("../elsewhere")
    (tmp_path / "in/up").symlink_to(".")
    fetch(tmp_path / "in", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()


def test_neighbours_in_a_remote_tar_come_in_one_request(tmp_path) -> None:
    write_tar(tmp_path / "in/all.tar", KEYS)
    write_index(tmp_path / "in/all.tar")
    with served(tmp_path / "in") as (address, asked):
        fetch(f"{address}/all.tar", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()
    assert asked == {"/all.json": 1, "/all.tar*": 1}


def test_distant_members_come_in_requests_of_their_own(tmp_path) -> None:
    write_tar(tmp_path / "in/all.tar", [7, 1007], extra=bytes(300_000))
    write_index(tmp_path / "in/all.tar")
    with served(tmp_path / "in") as (address, asked):
        fetch(f"{address}/all.tar", tmp_path / "out", [7, 1007])
    assert asked == {"/all.json": 1, "/all.tar*": 2}


def test_a_server_without_ranges_is_read_on_from_the_start(tmp_path) -> None:
    write_tar(tmp_path / "in/all.tar", KEYS, extra=bytes(300_000))
    write_index(tmp_path / "in/all.tar")
    with served(tmp_path / "in", ranges=False) as (address, asked):
        fetch(f"{address}/all.tar", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()
    assert asked["/all.tar"] == 2


def test_a_remote_tar_without_index_is_streamed_once_and_read_by_range_from_then_on(
    tmp_path,
) -> None:
    write_tar(tmp_path / "in/all.tar", KEYS)
    with served(tmp_path / "in") as (address, asked):
        fetch(f"{address}/all.tar", tmp_path / "out", KEYS[:2])
        assert asked.pop("/all.tar") == 1
        fetch(f"{address}/all.tar", tmp_path / "out", KEYS[2:])
    assert originals(tmp_path / "out") == expected()
    assert "/all.tar" not in asked


def test_an_archive_that_changed_since_is_streamed_anew(tmp_path) -> None:
    write_tar(tmp_path / "in/all.tar", KEYS[:2])
    with served(tmp_path / "in") as (address, asked):
        fetch(f"{address}/all.tar", tmp_path / "out", KEYS[:2])
        write_tar(tmp_path / "in/all.tar", KEYS)
        fetch(f"{address}/all.tar", tmp_path / "out", KEYS[2:])
    assert originals(tmp_path / "out") == expected()
    assert asked["/all.tar"] == 2


def test_a_remote_gzipped_tar_is_streamed(tmp_path) -> None:
    write_tar(tmp_path / "in/all.tar.gz", KEYS)
    with served(tmp_path / "in") as (address, asked):
        fetch(f"{address}/all.tar.gz", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()
    assert asked == {"/all.tar.gz": 1}


def test_shards_of_webdataset_are_found_by_their_range_and_padded_keys(tmp_path) -> None:
    for number, keys in enumerate((KEYS[:2], KEYS[2:])):
        write_tar(tmp_path / f"in/{number:05}.tar", keys, name="train/{:09}")
    with served(tmp_path / "in") as (address, _):
        fetch(address + "/{00000..00001}.tar", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()


def test_one_archive_per_bucket_is_asked_for_what_is_in_it(tmp_path) -> None:
    for bucket in {key % 1000 for key in KEYS}:
        write_tar(tmp_path / f"in/data-{bucket:04}.tar", [k for k in KEYS if k % 1000 == bucket])
    with served(tmp_path / "in") as (address, asked):
        fetch(address + "/data-{bucket}.tar", tmp_path / "out", [7, 5])
    assert {path for path in asked if path.endswith(".tar")} == {"/data-0007.tar", "/data-0005.tar"}
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg", "0005/5.jpg"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_remote_zip_is_read_by_its_directory(tmp_path, method) -> None:
    write_zip(tmp_path / "in/all.zip", KEYS, method)
    with served(tmp_path / "in") as (address, asked):
        found = fetch(f"{address}/all.zip", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()
    assert {fetched.proof for fetched in found.values()} == {Proof.CRC32}
    assert {*asked} == {"/all.zip*"}


def test_a_directory_longer_than_the_first_look_is_read_further_back(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("7.jpg", ORIGINALS[7])
        for number in range(2000):
            archive.writestr(f"{'long' * 10}/{number}.txt", b"")
    fetch(tmp_path / "all.zip", tmp_path / "out", [7])
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg"}


def test_a_zip_on_a_server_without_ranges_is_refused_with_the_reason(tmp_path) -> None:
    write_zip(tmp_path / "in/all.zip", KEYS)
    with zipfile.ZipFile(tmp_path / "in/all.zip", "a") as archive:
        archive.writestr("much.txt", bytes(100_000))
    with served(tmp_path / "in", ranges=False) as (address, _):
        found = fetch(f"{address}/all.zip", tmp_path / "out", [7])
    assert found[7].reason is Reason.BAD_INDEX
    assert "no part" in found[7].detail


def test_an_id_in_no_archive_is_missing(tmp_path) -> None:
    write_tar(tmp_path / "all.tar", KEYS)
    found = fetch(tmp_path / "all.tar", tmp_path / "out", [7, 8])
    assert (found[7].reason, found[8].reason) == (None, Reason.MISSING_ORIGINAL)


def test_a_flipped_byte_is_refused_and_its_neighbours_are_not(tmp_path) -> None:
    path = tmp_path / "all.tar"
    write_tar(path, KEYS)
    write_index(path)
    data = bytearray(path.read_bytes())
    at = data.index(ORIGINALS[2007])
    data[at + len(ORIGINALS[2007]) // 2] ^= 1
    path.write_bytes(data)
    found = fetch(path, tmp_path / "out")
    assert {key for key, one in found.items() if one.reason} == {2007}
    assert found[2007].reason is Reason.WRONG_HASH
    assert {*originals(tmp_path / "out")} == {*expected()} - {"0007/2007.jpg"}


def test_a_flipped_byte_in_a_zip_is_refused(tmp_path) -> None:
    path = tmp_path / "all.zip"
    write_zip(path, KEYS, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(ORIGINALS[2007]) + 300] ^= 1
    path.write_bytes(data)
    found = fetch(path, tmp_path / "out")
    assert {key for key, one in found.items() if one.reason} == {2007}


def test_a_tar_cut_short_gives_what_is_whole(tmp_path) -> None:
    path = tmp_path / "in/all.tar"
    write_tar(path, KEYS)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(ORIGINALS[2007]) + 100])
    with served(tmp_path / "in") as (address, _):
        found = fetch(f"{address}/all.tar", tmp_path / "out")
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg", "0007/1007.png"}
    assert found[2007].reason is Reason.NETWORK_ERROR
    assert len(found) == len(KEYS)


@pytest.mark.parametrize(
    "text",
    [b'{"files": {"7.jpg": {"offset": -1, "size": 3}}}',
     b'{"files": {"7.jpg": {"offset": 5, "size": 3}, "8.jpg": {"offset": 7, "size": 3}}}'],
)  # fmt: skip
def test_a_broken_index_is_named(tmp_path, text) -> None:
    write_tar(tmp_path / "all.tar", KEYS)
    (tmp_path / "all.json").write_bytes(text)
    found = fetch(tmp_path / "all.tar", tmp_path / "out", [7])
    assert found[7].reason is Reason.BAD_INDEX
    assert "all.json" in found[7].detail


def test_a_member_that_leads_out_of_the_archive_lands_where_its_id_says(tmp_path) -> None:
    write_tar(tmp_path / "all.tar", [7], name="../../{}")
    fetch(tmp_path / "all.tar", tmp_path / "out", [7])
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg"}


def test_long_names_of_gnu_and_pax_are_read_in_a_stream(tmp_path) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / f"in/{form}.tar"
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, "w", format=form) as archive:
            info = tarfile.TarInfo(f"{'ü' * 150}/7.jpg")
            info.size = len(ORIGINALS[7])
            archive.addfile(info, io.BytesIO(ORIGINALS[7]))
        with served(tmp_path / "in") as (address, _):
            fetch(f"{address}/{form}.tar", tmp_path / f"out{form}", [7])
        assert {*originals(tmp_path / f"out{form}")} == {"0007/7.jpg"}


def test_a_file_that_is_no_archive_is_refused_with_its_name(tmp_path) -> None:
    for name in ("a.tar", "a.zip", "a.tar.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"x" * 600) if "gz" in name else b"x" * 600)
        found = fetch(tmp_path / name, tmp_path / "out", [7])
        assert found[7].reason is Reason.BAD_INDEX
        assert name in found[7].detail


def test_a_plan_tells_place_and_size_and_fetches_nothing(tmp_path) -> None:
    write_tar(tmp_path / "all.tar", KEYS)
    planned: dict[str, Planned | None] = {}

    async def main() -> None:
        spec = str(tmp_path / "all.tar")
        source = choose(spec, tmp_path / "out", FAST, Check(sniff, check_end), lambda _: None)
        async with source:
            await source.plan(
                [Sought("7"), Sought("8")], lambda one, plan: planned.update({one.key: plan})
            )

    asyncio.run(main())
    url = f"{tmp_path}/all.tar#7.jpg"
    assert planned == {"7": Planned(url, len(ORIGINALS[7])), "8": None}
    assert originals(tmp_path / "out") == {}


def test_an_archive_that_is_not_there_is_an_error_at_once(tmp_path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.tar"):
        fetch(tmp_path / "nowhere.tar", tmp_path / "out")


@pytest.mark.parametrize("spec", ["http://h/{id}.tar", "http://h/{5..4}.tar", "hf:x", "hf://a/b"])
def test_an_address_that_means_no_archives_is_refused_before_any_request(tmp_path, spec) -> None:
    with pytest.raises(UsageError, match="--source"):
        fetch(spec, tmp_path)


def flip(path: Path, *keys: int) -> None:
    """Flip a bit in the middle of some members."""
    data = bytearray(path.read_bytes())
    for key in keys:
        data[data.index(ORIGINALS[key]) + len(ORIGINALS[key]) // 2] ^= 1
    path.write_bytes(data)


def test_each_of_several_wrong_members_is_refused_under_its_own_name(tmp_path) -> None:
    write_tar(tmp_path / "a.tar", KEYS)
    write_index(tmp_path / "a.tar")
    flip(tmp_path / "a.tar", 1007, 2007)
    found = fetch(tmp_path / "a.tar", tmp_path / "out")
    assert {key for key, one in found.items() if one.reason is Reason.WRONG_HASH} == {1007, 2007}
    assert "1007.png" in found[1007].detail
    assert "2007.jpg" in found[2007].detail


def test_a_wrong_member_keeps_its_reason_where_the_archive_breaks_off_behind_it(tmp_path) -> None:
    path = tmp_path / "a.tar"
    write_tar(path, KEYS)
    write_index(path)
    flip(path, 1007)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(ORIGINALS[5]) + 100])
    found = fetch(path, tmp_path / "out")
    assert (found[1007].reason, found[5].reason) == (Reason.WRONG_HASH, Reason.BAD_INDEX)
    assert {key for key, one in found.items() if one.reason is None} == {7, 2007, 332446}


def test_an_index_that_leads_behind_the_archive_is_refused_with_the_member(tmp_path) -> None:
    write_tar(tmp_path / "a.tar", KEYS)
    write_index(tmp_path / "a.tar")
    index = json.loads((tmp_path / "a.json").read_text())
    index["files"]["5.jpg"]["offset"] = 10**9
    (tmp_path / "a.json").write_text(json.dumps(index))
    found = fetch(tmp_path / "a.tar", tmp_path / "out", [5])
    assert found[5].reason is Reason.BAD_INDEX
    assert "a.json" in found[5].detail
    assert "5.jpg" in found[5].detail


def test_an_empty_member_is_refused_without_a_request(tmp_path) -> None:
    write_members(tmp_path / "in/a.tar", [("7.jpg", b"")])
    write_index(tmp_path / "in/a.tar")
    with served(tmp_path / "in") as (address, asked):
        found = fetch(f"{address}/a.tar", tmp_path / "out", [7])
    assert found[7].reason is Reason.EMPTY_FILE
    assert asked == {"/a.json": 1}


def write_members(path: Path, members: list[tuple[str, bytes]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def commented(key: int) -> bytes:
    """A JPEG with its own comment; all have the same length."""
    return ORIGINALS[7][:2] + b"\xff\xfe\0\6%04d" % key + ORIGINALS[7][2:]


def test_an_archive_that_changed_and_kept_its_size_gives_no_image_for_another(tmp_path) -> None:
    members = [(f"{key}.jpg", commented(key)) for key in (7, 1007, 2007)]
    with served(tmp_path / "in") as (address, _):
        write_members(tmp_path / "in/a.tar", members)
        fetch(f"{address}/a.tar", tmp_path / "out", [7])
        write_members(tmp_path / "in/a.tar", [members[0], members[2], members[1]])
        first = fetch(f"{address}/a.tar", tmp_path / "out", [1007])
        assert (first[1007].reason, {*originals(tmp_path / "out")}) == (
            Reason.WRONG_HASH,
            {"0007/7.jpg"},
        )
        fetch(f"{address}/a.tar", tmp_path / "out", [1007])
    assert originals(tmp_path / "out")["0007/1007.jpg"] == commented(1007)


@pytest.mark.parametrize("order", [1, -1], ids=["first", "last"])
def test_the_member_named_as_an_image_is_taken_where_two_have_an_id(tmp_path, order) -> None:
    members = [("7.jpg", ORIGINALS[7]), ("7.webm", bytes(900))][::order]
    write_members(tmp_path / "in/a.tar", [*members, ("1007.png", ORIGINALS[1007])])
    with served(tmp_path / "in") as (address, _):
        fetch(f"{address}/a.tar", tmp_path / "out", [1007])
        fetch(f"{address}/a.tar", tmp_path / "out", [7])
    assert {*originals(tmp_path / "out")} == {"0007/1007.png", "0007/7.jpg"}


def test_an_original_of_another_size_than_is_known_is_refused(tmp_path) -> None:
    write_tar(tmp_path / "a.tar", [7])
    known = Sought("7", bytes=len(ORIGINALS[7]) + 1)
    found = fetch_known(tmp_path / "a.tar", tmp_path / "out", [known], FAST)
    assert found["7"].reason is Reason.WRONG_SIZE
    assert originals(tmp_path / "out") == {}


def test_who_takes_originals_slowly_does_not_cost_the_source_its_time(tmp_path) -> None:
    write_tar(tmp_path / "in/a.tar", KEYS)
    write_index(tmp_path / "in/a.tar")
    settings = Fetching(retries=0, timeout=0.2)  # five times that for five images
    with served(tmp_path / "in") as (address, _):
        sought = [Sought(str(key)) for key in KEYS]
        found = fetch_known(f"{address}/a.tar", tmp_path / "out", sought, settings, slow=0.4)
    assert {one.reason for one in found.values()} == {None}


def test_a_zip_address_may_have_a_query(tmp_path) -> None:
    write_zip(tmp_path / "in/a.zip?signed=1", [7])
    with served(tmp_path / "in") as (address, _):
        fetch(f"{address}/a.zip?signed=1", tmp_path / "out", [7])
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg"}


def test_a_member_that_passes_by_is_looked_up_not_searched_for() -> None:
    class Counted(dict[str, Sought]):
        looked_at = 0

        def __iter__(self) -> Iterator[str]:
            for key in super().__iter__():
                Counted.looked_at += 1
                yield key

        def items(self) -> ItemsView[str, Sought]:
            return {key: self[key] for key in self}.items()

    group = Group()
    group.left = Counted({str(key): Sought(str(key)) for key in range(1000)})
    (found,) = group.claim(by_key([Member("7.jpg", Span(0, 1), 1)]))
    assert (found[0].key, Counted.looked_at) == ("7", 0)


def fetch_known(
    spec: object, folder: Path, sought: list[Sought], settings: Fetching, slow: float = 0.0
) -> dict[str, Fetched]:
    """Fetch with a taker that needs `slow` seconds for each outcome."""
    found: dict[str, Fetched] = {}

    async def take(one: Sought, fetched: Fetched) -> None:
        found[one.key] = fetched
        await asyncio.sleep(slow)

    async def main() -> None:
        check = Check(sniff, check_end)
        async with choose(str(spec), folder, settings, check, lambda _: None) as source:
            await source.fetch(sought, take)

    asyncio.run(main())
    return found


@pytest.mark.parametrize("name", ["none.tar", "none.tar.gz", "none.zip", "{00000..00003}.tar"])
def test_where_no_archive_is_there_that_is_said_of_each_original(tmp_path, name) -> None:
    with served(tmp_path) as (address, _):
        found = fetch(f"{address}/{name}", tmp_path / "out", [7])
    assert found[7].reason is Reason.MISSING_ORIGINAL
    assert re.search(r"^no archive is there: http.*\.(tar|tar\.gz|zip): .*404", found[7].detail)


def test_an_index_that_may_not_be_seen_is_one_that_is_not_there(tmp_path) -> None:
    write_tar(tmp_path / "all.tar", [7])
    with host() as store:
        store.files["/all.tar"] = (tmp_path / "all.tar").read_bytes()
        store.statuses["/all.json"] = 403
        fetch(f"{store.address}/all.tar", tmp_path / "out", [7])
    assert originals(tmp_path / "out") == {"0007/7.jpg": ORIGINALS[7]}
