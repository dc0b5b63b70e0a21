"""The arrival of a file: its bytes end up under the final name, or nowhere."""

import asyncio
import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import OutputError, Refusal
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.sources.arrival import Arrival, Expected
from dafre_fast.sources.evidence import AT_ONCE_BYTES
from dafre_fast.sources.interface import HEAD_BYTES, Check
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.testing.plays import first, right
from dafre_fast.testing.server import Exchange, Play, Server, head
from tests.commands import here, tree
from tests.pixels.pictures import encoded, smooth
from tests.sources.loopback import JPEG, OTHER_JPEG, WHOLE, fetch_from, files, one_from

MD5, SHA256 = hashlib.md5(JPEG).hexdigest(), hashlib.sha256(JPEG).hexdigest()
CUT = JPEG[:-2]
DEFAULT, KEEP = Fetching(), Fetching(truncated="keep")


def arrival(folder: Path, settings: Fetching = DEFAULT, **known: int | str) -> Arrival:
    return Arrival(folder / "0007" / "7.jpg", Expected(**known), settings, WHOLE)


def arrive(folder: Path, data: bytes, settings: Fetching = DEFAULT, **known: int | str):
    coming = arrival(folder, settings, **known)
    coming.write(data)
    return coming.finish()


def test_a_file_is_hidden_under_another_name_until_it_is_checked_whole(tmp_path) -> None:
    coming = arrival(tmp_path)
    coming.write(JPEG)
    assert set(files(tmp_path)) == {"0007/.7.jpg.part"}
    coming.finish()
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


@pytest.mark.parametrize(
    ("known", "proof"),
    [
        ({}, Proof.UNVERIFIED),
        ({"bytes": len(JPEG)}, Proof.UNVERIFIED),
        ({"md5": MD5}, Proof.MD5),
        ({"md5": MD5.upper()}, Proof.MD5),
        ({"sha256": SHA256}, Proof.SHA256),
        ({"md5": MD5, "sha256": SHA256}, Proof.MD5),
    ],
)
def test_an_arrival_names_its_size_hash_and_proof(tmp_path, known, proof) -> None:
    assert arrive(tmp_path, JPEG, **known) == (len(JPEG), SHA256, proof)


@pytest.mark.parametrize(
    ("data", "known", "reason"),
    [
        (b"", {}, Reason.EMPTY_FILE),
        (b"<html>", {}, Reason.NOT_AN_IMAGE),
        (b"<html>" * 500, {}, Reason.NOT_AN_IMAGE),
        (CUT, {}, Reason.TRUNCATED),
        (CUT, {"bytes": len(JPEG)}, Reason.WRONG_SIZE),
        (JPEG + b"\0", {"bytes": len(JPEG)}, Reason.WRONG_SIZE),
        (CUT, {"md5": MD5}, Reason.WRONG_HASH),
        (JPEG, {"sha256": "0" * 64}, Reason.WRONG_HASH),
        (JPEG, {"md5": MD5, "sha256": "0" * 64}, Reason.WRONG_HASH),
    ],
)
def test_a_file_that_is_not_as_known_is_removed(tmp_path, data, known, reason) -> None:
    with pytest.raises(Passing) as refused:
        arrive(tmp_path, data, **known)
    assert (refused.value.reason, files(tmp_path)) == (reason, {})
    assert refused.value.wrong is not None


@given(st.lists(st.binary(min_size=1, max_size=900), max_size=6))
def test_a_wrong_file_is_described_alike_however_it_came_in_pieces(
    tmp_path_factory, pieces
) -> None:
    data = b"\xff\xd8\xff" + b"".join(pieces)
    coming = arrival(tmp_path_factory.getbasetemp(), md5=MD5)
    for piece in (data[:3], *pieces):
        coming.write(piece)
    with pytest.raises(Passing) as one:
        coming.finish()
    coming.write(data)
    with pytest.raises(Passing) as other:
        coming.finish()
    assert one.value.wrong == other.value.wrong


def test_the_first_bytes_are_looked_at_once_however_they_come(tmp_path) -> None:
    seen: list[bytes] = []
    check = Check(head=seen.append, whole=check_end)
    coming = Arrival(tmp_path / "7.jpg", Expected(), DEFAULT, check)
    for byte in JPEG:
        coming.write(bytes([byte]))
    coming.finish()
    assert seen == [JPEG[:HEAD_BYTES]]


def test_one_byte_beyond_the_limit_is_refused_and_all_of_it_gone(tmp_path) -> None:
    assert arrive(tmp_path / "a", JPEG, Fetching(max_bytes=len(JPEG))).bytes == len(JPEG)
    coming = arrival(tmp_path / "b", Fetching(max_bytes=len(JPEG) - 1))
    with pytest.raises(Refusal) as refused:
        coming.write(JPEG)
    assert (refused.value.reason, files(tmp_path / "b")) == (Reason.TOO_MANY_BYTES, {})


def test_an_arrival_starts_again_after_a_refusal(tmp_path) -> None:
    coming = arrival(tmp_path, md5=MD5)
    with pytest.raises(Passing):
        coming.write(b"<html>" * 500)
    assert coming.size == 0
    coming.write(JPEG)
    coming.finish()
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


def test_a_half_written_file_of_an_earlier_run_is_thrown_away(tmp_path) -> None:
    part = tmp_path / "0007/.7.jpg.part"
    part.parent.mkdir()
    part.write_bytes(JPEG * 2)
    arrive(tmp_path, JPEG)
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


def test_an_existing_file_stays_until_the_new_one_is_whole(tmp_path) -> None:
    arrive(tmp_path, JPEG)
    with pytest.raises(Passing):
        arrive(tmp_path, OTHER_JPEG[:-2])
    assert files(tmp_path) == {"0007/7.jpg": JPEG}
    arrive(tmp_path, OTHER_JPEG)
    assert files(tmp_path) == {"0007/7.jpg": OTHER_JPEG}


@pytest.fixture
def calls(monkeypatch, tmp_path) -> list[str]:
    """Calls of fsync, fdatasync and rename, in order. The calls still take effect."""
    told: list[str] = []

    def tell(name: str, real):
        def call(handle: int) -> None:
            path = Path(f"/proc/self/fd/{handle}").readlink()
            told.append(f"{name} {path.relative_to(tmp_path)}")
            real(handle)

        return call

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, tell(name, getattr(os, name)))
    real_replace = os.replace

    def replace(part: str, target: Path) -> None:
        told.append("rename")
        real_replace(part, target)

    monkeypatch.setattr(os, "replace", replace)
    return told


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux names open files so")
def test_sync_writes_the_bytes_before_the_name_and_the_name_before_the_file_counts(
    tmp_path, calls
) -> None:
    arrive(tmp_path, JPEG, Fetching(sync=True))
    assert calls == ["fsync .", "fdatasync 0007/.7.jpg.part", "rename", "fsync 0007"]


def test_without_sync_nothing_waits_for_the_disk(tmp_path, calls) -> None:
    arrive(tmp_path, JPEG)
    assert calls == ["rename"]


def test_a_full_disk_ends_the_run_and_keeps_what_was_finished(small_disk) -> None:
    large = JPEG[:-2] + bytes(100_000) + JPEG[-2:]

    async def larger(x: Exchange) -> None:
        data = JPEG if x.path == "/1.jpg" else large
        await x.send(head("200 OK", length=len(data)), data)

    sought = [Sought(key, extension="jpg") for key in ("1", "2", "3")]
    with pytest.raises(OutputError, match=r"2\.jpg: No space left on device"):
        fetch_from(Server(larger), small_disk.folder, *sought, settings=Fetching(connections=1))
    assert files(small_disk.folder) == {"0001/1.jpg": JPEG}


@pytest.mark.slow
def test_a_full_disk_is_exit_status_1_and_one_line_and_with_room_the_run_goes_on(
    tmp_path, small_disk
) -> None:
    faces = tmp_path / "faces.tsv"
    rows = (f"{n:04d}\\{n}.jpg\t5\t0.1, 0.1, 0.5, 0.5 0.9\n" for n in range(1, 21))
    faces.write_text("".join(rows))

    async def main() -> None:
        async with Server(right, JPEG).on("127.0.0.1") as port:
            flags = ("--faces", faces, "--source", f"http://127.0.0.1:{port}/{{id}}.{{ext}}")
            flags = (*flags, "--output", small_disk.folder, "--connections", 1)
            done = await asyncio.to_thread(here, "download", *flags, cwd=tmp_path)
            assert done.returncode == 1
            assert "No space left on device" in done.stderr.splitlines()[-1]
            kept = tree(small_disk.folder)
            assert 0 < len(kept) < 20
            assert set(kept.values()) == {JPEG}
            small_disk.remount("size=1m")
            done = await asyncio.to_thread(here, "download", *flags, cwd=tmp_path)
            assert done.returncode == 0
            assert len(tree(small_disk.folder)) == 20

    asyncio.run(main())


# Files without their end.

PICTURE = encoded(smooth(64, 48), "JPEG")
ENDLESS = PICTURE[:-2]
"""A JPEG with all its pixels, but without its end marker."""


def test_a_file_of_its_full_length_with_all_pixels_needs_no_end(tmp_path) -> None:
    assert arrive(tmp_path, ENDLESS).proof is Proof.UNVERIFIED
    assert files(tmp_path) == {"0007/7.jpg": ENDLESS}


def of_unknown_length(data: bytes) -> Play:
    async def play(x: Exchange) -> None:
        await x.send(head("200 OK", "Connection: close"), data)
        await x.close()

    return play


def test_one_of_unknown_length_is_asked_for_again_and_taken_if_it_comes_so_twice(tmp_path) -> None:
    fetched = one_from(of_unknown_length(ENDLESS), tmp_path)
    assert (fetched.reason, fetched.attempts) == (None, 2)
    assert files(tmp_path) == {"0007/7.jpg": ENDLESS}


def test_one_of_unknown_length_that_has_its_end_at_last_is_taken_so(tmp_path) -> None:
    play = first(1, of_unknown_length(ENDLESS), of_unknown_length(PICTURE))
    assert one_from(play, tmp_path).attempts == 2
    assert files(tmp_path) == {"0007/7.jpg": PICTURE}


def test_a_file_without_its_last_pixels_is_refused_though_its_length_is_known(tmp_path) -> None:
    with pytest.raises(Passing) as refused:
        arrive(tmp_path, PICTURE[:-40])
    assert (refused.value.reason, files(tmp_path)) == (Reason.TRUNCATED, {})


# Files that break off where they are to be kept.


def test_a_file_of_its_full_length_that_breaks_off_is_kept_where_asked_for(tmp_path) -> None:
    assert arrive(tmp_path, CUT, KEEP).proof is Proof.UNVERIFIED
    assert files(tmp_path) == {"0007/7.jpg": CUT}


def test_one_of_unknown_length_is_kept_if_it_comes_so_twice(tmp_path) -> None:
    async def cut(x: Exchange) -> None:
        await x.send(head("200 OK", "Connection: close"), CUT)
        await x.close()

    fetched = one_from(cut, tmp_path, settings=KEEP)
    assert (fetched.reason, fetched.attempts, files(tmp_path)) == (None, 2, {"0007/7.jpg": CUT})


def test_one_that_is_whole_the_second_time_is_whole(tmp_path) -> None:
    async def cut(x: Exchange) -> None:
        await x.send(head("200 OK", "Connection: close"), CUT)
        await x.close()

    fetched = one_from(first(1, cut, right), tmp_path, settings=KEEP)
    assert (fetched.attempts, files(tmp_path)) == (2, {"0007/7.jpg": JPEG})


def test_damage_is_not_kept_where_only_what_breaks_off_is(tmp_path) -> None:
    with pytest.raises(Passing) as refused:
        arrive(tmp_path, b"<html>" * 500, KEEP)
    assert refused.value.reason is Reason.NOT_AN_IMAGE


# Large originals are hashed when all is there

LARGE = JPEG[:-2] + bytes(range(1, 250)) * 3000 + JPEG[-2:]


def come(folder: Path, data: bytes, step: int, **known: int | str) -> Arrival:
    coming = arrival(folder, **known)
    for at in range(0, len(data), step):
        coming.write(data[at : at + step])
    return coming


@pytest.mark.parametrize("size", [AT_ONCE_BYTES - 1, AT_ONCE_BYTES, AT_ONCE_BYTES + 1, len(LARGE)])
@pytest.mark.parametrize("step", [1000, 1 << 18, 1 << 30])
@pytest.mark.parametrize("aside", [True, False])
def test_hashes_are_those_of_all_bytes_however_they_come(tmp_path, size, step, aside) -> None:
    data = LARGE[: size - 2] + LARGE[-2:]
    md5, sha256 = hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest()
    coming = come(tmp_path, data, step, md5=md5)
    if aside:
        asyncio.run(coming.hash_aside())
    arrived = coming.finish()
    assert (arrived.bytes, arrived.sha256, arrived.proof) == (len(data), sha256, Proof.MD5)
    assert files(tmp_path) == {"0007/7.jpg": data}


def test_what_is_written_anew_is_hashed_anew(tmp_path) -> None:
    coming = come(tmp_path, LARGE + LARGE, 1 << 18)
    coming.start_over()
    coming.write(LARGE)
    asyncio.run(coming.hash_aside())
    assert coming.finish().sha256 == hashlib.sha256(LARGE).hexdigest()


def test_a_large_original_is_hashed_while_the_loop_does_other_things(tmp_path, monkeypatch) -> None:
    may_read = threading.Event()

    def read(*arguments: int) -> bytes:
        assert may_read.wait(timeout=30)
        return pread(*arguments)

    pread = os.pread
    monkeypatch.setattr(os, "pread", read)

    async def main() -> None:
        coming = come(tmp_path, LARGE, 1 << 18)
        hashing = asyncio.ensure_future(coming.hash_aside())
        await asyncio.sleep(0)
        may_read.set()  # which the loop would never come to if it hashed itself
        await hashing
        assert coming.finish().sha256 == hashlib.sha256(LARGE).hexdigest()

    asyncio.run(main())


def test_a_download_that_is_stopped_while_it_is_hashed_leaves_nothing(
    tmp_path, monkeypatch
) -> None:
    reads, may_read, read_whole = threading.Event(), threading.Event(), threading.Event()

    def read(file: int, size: int, at: int) -> bytes:
        reads.set()
        assert may_read.wait(timeout=30)
        data = pread(file, size, at)
        if at + len(data) == len(LARGE):
            read_whole.set()
        return data

    pread = os.pread
    monkeypatch.setattr(os, "pread", read)

    async def main() -> None:
        coming = come(tmp_path, LARGE, 1 << 18)
        hashing = asyncio.ensure_future(coming.hash_aside())
        await asyncio.to_thread(reads.wait, 30)
        hashing.cancel()
        await asyncio.wait([hashing])
        coming.discard()
        assert files(tmp_path) == {}
        may_read.set()
        assert await asyncio.to_thread(read_whole.wait, 30)  # of its own descriptor

    asyncio.run(main())


@pytest.mark.parametrize("aside", [True, False])
def test_a_disk_that_cannot_read_what_was_written_ends_the_run(
    tmp_path, monkeypatch, aside
) -> None:
    def fail(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    coming = come(tmp_path, LARGE, 1 << 18)
    with pytest.raises(OutputError, match=r"7\.jpg: Input/output error"):
        asyncio.run(coming.hash_aside()) if aside else coming.finish()
    coming.discard()
    assert files(tmp_path) == {}
