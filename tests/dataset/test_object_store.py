"""Object stores as outputs, against a real S3 server (moto) and one that fails."""

import os
import socket
from pathlib import Path

import pytest

from dafre_fast.core.atomic import digest
from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.dataset import object_store
from dafre_fast.dataset.object_store import Kept, ObjectStore
from tests.sources import faulty_store as faults
from tests.sources.stores import needs_stores

pytestmark = needs_stores
BYTES = bytes(range(256)) * 5_000


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "sent.tar"
    path.write_bytes(BYTES)
    return path


def test_what_was_put_is_there_byte_for_byte(store, file, tmp_path) -> None:
    kept = store.put("train/00000 a.tar", file)
    assert kept.bytes == len(BYTES)
    assert store.names() == store.names("train") == {"train/00000 a.tar": kept}
    assert store.read("train/00000 a.tar") == BYTES
    assert store.fetch("train/00000 a.tar", tmp_path / "in/back") == digest(file)
    assert (tmp_path / "in/back").read_bytes() == BYTES
    assert store.digest("train/00000 a.tar") == digest(file)


def test_nothing_is_a_whole_object_too(store, tmp_path) -> None:
    (tmp_path / "empty").touch()
    store.put("empty", tmp_path / "empty")
    store.put("no bytes", b"")
    assert [kept.bytes for kept in store.names().values()] == [0, 0]
    assert store.read("empty") == b""
    assert store.fetch("empty", tmp_path / "back").bytes == 0


def test_a_file_is_one_put_and_the_same_again_is_none(store, file, proxy) -> None:
    first = store.put("a", file)
    assert len(proxy.puts()) == 1
    assert store.put("a", file) == first
    assert len(proxy.puts()) == 1
    store.put("a", BYTES[1:])
    assert store.read("a") == BYTES[1:]


def test_a_file_above_the_bound_goes_in_parts_that_are_checked(
    store, file, proxy, monkeypatch
) -> None:
    monkeypatch.setattr(object_store, "SINGLE_PUT_BYTES", 5 << 20)
    monkeypatch.setattr(object_store, "CHUNK_BYTES", 5 << 20)
    file.write_bytes(large := BYTES * 6)
    kept = store.put("a", file)
    assert (kept.bytes, kept.etag[-2:], len(proxy.puts())) == (len(large), "-2", 2)
    assert store.put("a", file) == kept
    assert len(proxy.puts()) == 2
    assert store.read("a") == large


def test_spans_come_in_their_order_and_up_to_the_end(store, file) -> None:
    store.put("a", file)
    spans = [(1_000_000, 10), (0, 3), (2, 0), (len(BYTES) - 4, 4)]
    assert store.read_spans("a", spans) == [BYTES[at : at + size] for at, size in spans]


def page_of_two(handler: faults.Handler, body: bytes) -> bytes:
    """List two objects or folders, and that there are more."""
    handler.path += "&max-keys=2"
    return body


def test_a_list_of_many_pages_comes_whole(store, proxy) -> None:
    names = [f"a/{number}/b" for number in range(7)]
    for name in names:
        store.put(name, b"b")
    proxy.plan(page_of_two, "GET", "list-type=2", times=99)
    assert [*store.names()] == [*store.names("a")] == names
    assert store.folders("a") == [*map(str, range(7))]
    assert store.folders("nothing") == []
    pages = [path for method, path in proxy.asked if method == "GET"]
    assert len(pages) == 3 * 4 + 1


def test_a_list_that_breaks_off_begins_again(store, proxy) -> None:
    for number in range(5):
        store.put(f"a/{number}", b"b")
    proxy.plan(page_of_two, "GET", "list-type=2", times=1)
    proxy.plan(faults.half_of_the_answer, "GET", "continuation-token")
    proxy.plan(faults.status(503), "GET", "list-type=2")
    assert len(store.names("a")) == 5


def test_trials_at_the_same_time_do_not_disturb_each_other(store, proxy) -> None:
    def race(_: faults.Handler, body: bytes) -> bytes:
        store.check_writable("--into")
        return body

    proxy.plan(race, "PUT", times=1)
    proxy.plan(race, "DELETE", times=1)
    proxy.plan(race, "POST", times=1)
    store.check_writable("--into")
    assert store.names() == {}


def test_what_is_not_there_is_not_found_and_can_be_deleted(store, tmp_path) -> None:
    for ask in (store.read, store.digest, lambda name: store.fetch(name, tmp_path / "x")):
        with pytest.raises(FileNotFoundError, match=r"s3://.*/some where/in/nothing"):
            ask("nothing")
    assert not (tmp_path / "x").exists()
    store.put("a", b"a")
    store.delete(["nothing", "a"])
    store.delete([])
    assert store.names() == {}


PASSING = [
    faults.status(500),
    faults.status(503),
    faults.status(429),
    faults.cut_in_the_middle,
    faults.answer_lost,
    faults.half_stored,
    faults.other_bytes_stored,
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.__name__)
def test_a_put_that_fails_in_passing_is_made_again(store, file, proxy, fault) -> None:
    proxy.plan(fault, "PUT", times=2)
    store.put("a", file)
    assert store.read("a") == BYTES


@pytest.mark.parametrize("fault", [faults.status(500), faults.half_of_the_answer])
def test_a_read_that_breaks_off_goes_on(store, file, proxy, fault, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(object_store, "_READ_BYTES", 400_000)
    store.put("a", file)
    proxy.asked.clear()
    proxy.plan(fault, "GET", "/a", times=2)
    assert store.fetch("a", tmp_path / "a") == digest(file)
    assert sum(method == "GET" for method, _ in proxy.asked) == 4 + 2


@pytest.mark.parametrize("fault", [faults.half_stored, faults.other_bytes_stored])
def test_a_store_that_always_keeps_something_else_is_found_out(store, file, proxy, fault) -> None:
    proxy.plan(fault, "PUT", times=9)
    with pytest.raises(OutputError, match=r"s3://.*/a: 4 times .* something else than was sent"):
        store.put("a", file)


def test_a_store_that_stays_down_is_named_with_the_attempts(store, file, proxy) -> None:
    proxy.plan(faults.status(503), "PUT", times=9)
    with pytest.raises(OutputError, match=r"s3://.*/a: .*503.* \(4 attempts\)"):
        store.put("a", file)


def test_a_store_that_does_not_answer_is_asked_again(store, file, proxy, monkeypatch) -> None:
    monkeypatch.setattr(object_store, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(object_store, "_SLOWEST", 10**9)
    proxy.plan(lambda handler, _: handler.rfile.read(1) and None, "PUT")
    store.put("a", file)
    assert store.read("a") == BYTES
    assert len(proxy.puts()) == 2


def test_an_etag_that_is_no_md5_is_settled_by_reading(store, file, monkeypatch) -> None:
    monkeypatch.setattr(object_store, "_plain", lambda _: "of-a-key-of-kms")
    assert store.put("a", file) == Kept(len(BYTES), "of-a-key-of-kms")
    assert store.put("a", BYTES[::-1]).bytes == len(BYTES)
    assert store.read("a") == BYTES[::-1]


def test_a_bucket_that_can_be_written_keeps_nothing_of_the_trial(store) -> None:
    store.check_writable("--into")
    assert store.names() == {}


def test_a_bucket_that_is_not_there_is_said_before_anything_is_written() -> None:
    with pytest.raises(UsageError, match=r"--into s3://nobody-has-this: .* no such bucket"):
        ObjectStore("s3://nobody-has-this").check_writable("--into")


@pytest.mark.parametrize(("number", "said"), [(403, "forbids|credentials|403"), (401, "401")])
def test_a_bucket_that_is_forbidden_is_said(store, proxy, number, said) -> None:
    proxy.plan(faults.status(number), "PUT")
    with pytest.raises(UsageError, match=rf"--into s3://.*({said})"):
        store.check_writable("--into")


def test_a_bucket_in_another_region_says_what_to_set(store, proxy) -> None:
    proxy.plan(faults.status(301), "PUT")
    with pytest.raises(UsageError, match="AWS_REGION"):
        store.check_writable("--into")


def test_without_credentials_it_says_what_to_set(store, monkeypatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")  # no machine of a cloud
    with pytest.raises(UsageError, match="AWS_ACCESS_KEY_ID"):
        store.check_writable("--into")


def test_secrets_in_an_address_are_not_shown() -> None:
    with pytest.raises(UsageError) as error, socket.create_server(("127.0.0.1", 0)):
        ObjectStore("s3://key:hunter2@nobody-has-this/a").check_writable("--into")
    assert "hunter2" not in str(error.value)


def test_a_forked_process_says_what_to_do_and_does_not_wait_for_ever(store) -> None:
    store.put("a", b"a")
    reader, writer = os.pipe()
    if not (child := os.fork()):
        said = b""
        try:
            store.read("a")
        except UsageError as error:
            said = str(error).encode()
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert b"forkserver" in os.read(reader, 1000)
    os.close(reader)


def test_an_unreadable_store_is_an_input_error(store, proxy) -> None:
    store.put("a", b"a")
    proxy.plan(faults.status(403), "GET", "/a")
    with pytest.raises(InputError, match=r"s3://.*/a"):
        store.read("a")
