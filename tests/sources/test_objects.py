"""Object storage, against a real S3 server (moto) in its own process."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from hashlib import md5
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

from dafre_fast.core.errors import SourceError, UsageError
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.interface import Body, Check, Span
from dafre_fast.sources.manners.effort import Budget, Effort, Passing
from dafre_fast.sources.manners.hosts import Hosts
from tests.commands import dafre
from tests.pixels.pictures import encoded, smooth
from tests.sources.fetching import fetching, ignore
from tests.sources.s3 import S3, s3_server

pytestmark = [
    pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")
    for name in ("obstore", "moto")
]
JPEG = b"\xff\xd8\xff\xda" + bytes(range(1, 255)) * 2000 + b"\xff\xd9"
OTHER = b"\xff\xd8\xff\xda" + bytes(range(254, 0, -1)) * 2000 + b"\xff\xd9"
GIF = encoded(smooth(40, 30), "GIF")
WHOLE = Check(head=sniff, whole=check_end)
FAST = Fetching(retries=1, timeout=10.0)
ONCE = Fetching(retries=0, timeout=10.0)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with s3_server() as port:
        yield port


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def s3(port, monkeypatch) -> S3:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    return S3(port)


def fetch(source: str, folder: Path, *sought: str | Sought, settings=FAST) -> list[Fetched]:
    return asyncio.run(fetching(source, folder, *sought, settings=settings))


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_an_original_arrives_byte_for_byte_with_what_the_store_says_of_it(s3, tmp_path) -> None:
    s3.put("original/0446/332446.jpg", JPEG)
    (fetched,) = fetch(s3.source, tmp_path, "332446")
    assert files(tmp_path) == {"0446/332446.jpg": JPEG}
    assert (fetched.bytes, fetched.proof) == (len(JPEG), Proof.UNVERIFIED)
    assert fetched.url == f"s3://{s3.bucket}/original/0446/332446.jpg"
    assert fetched.etag == f'"{md5(JPEG).hexdigest()}"'
    assert fetched.last_modified
    assert fetched.last_modified.endswith("GMT")


def test_extensions_are_tried_in_order_until_one_is_there(s3, tmp_path) -> None:
    s3.put("original/0007/7.gif", GIF)
    s3.put("original/0007/7.webp", b"RIFF")
    (fetched,) = fetch(s3.source, tmp_path, "7")
    assert (fetched.attempts, files(tmp_path)) == (3, {"0007/7.gif": GIF})


def test_an_original_that_is_nowhere_is_not_found_and_costs_no_other(s3, tmp_path) -> None:
    s3.put("original/0008/8.jpg", JPEG)
    found = {one.key: one.reason for one in fetch(s3.source, tmp_path, "7", "8")}
    assert found == {"7": Reason.NOT_FOUND, "8": None}


@pytest.mark.parametrize(
    ("digest", "outcome"),
    [(md5(JPEG).hexdigest(), Proof.MD5), (md5(OTHER).hexdigest(), Reason.WRONG_HASH)],
)
def test_a_known_md5_decides(s3, tmp_path, digest, outcome) -> None:
    s3.put("original/0007/7.jpg", JPEG)
    (fetched,) = fetch(s3.source, tmp_path, Sought("7", "jpg", md5=digest), settings=ONCE)
    assert outcome in (fetched.proof, fetched.reason)
    assert bool(files(tmp_path)) == (outcome is Proof.MD5)


@pytest.mark.usefixtures("s3")
def test_no_such_bucket_ends_the_run_by_its_name(tmp_path) -> None:
    with pytest.raises(SourceError, match=r"s3://nobody-has-this/.*no such bucket"):
        fetch("s3://nobody-has-this/{id}.{ext}", tmp_path, "7")


@pytest.fixture
def guarded(s3) -> Iterator[S3]:
    """The server, checking credentials from now on."""
    s3.put("original/0007/7.jpg", JPEG)
    s3.ask("POST", "moto-api/reset-auth", b"0")
    yield s3
    s3.ask("POST", "moto-api/reset-auth", b"inf")


def test_wrong_credentials_end_the_run_and_say_what_to_set(guarded, tmp_path) -> None:
    with pytest.raises(SourceError, match="AWS_ACCESS_KEY_ID"):
        fetch(guarded.source, tmp_path, "7")


def test_an_object_without_permission_is_forbidden(guarded, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    (fetched,) = fetch(guarded.source, tmp_path, Sought("7", "jpg"))
    assert (fetched.reason, files(tmp_path)) == (Reason.FORBIDDEN, {})


def test_without_credentials_the_run_ends_and_says_what_to_set(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")  # no machine of a cloud
    with pytest.raises(SourceError, match=r"no credentials.*AWS_SKIP_SIGNATURE"):
        fetch("s3://bucket/{id}.{ext}", tmp_path, "7")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_SKIP_SIGNATURE", "maybe"),
        ("AWS_ENDPOINT_URL", "ftp://host"),
        ("AWS_ENDPOINT_URL", "host:port"),
        ("AWS_ENDPOINT_URL", "http://host:port"),
    ],
)
def test_a_setting_that_means_nothing_is_named(tmp_path, monkeypatch, name, value) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=r"s3://bucket: .*(maybe|host|port)"):
        fetch("s3://bucket/{id}.{ext}", tmp_path, "7")


def test_a_store_that_is_not_there_is_a_network_error(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (fetched,) = fetch("s3://bucket/{id}.{ext}", tmp_path, "7", settings=ONCE)
    assert (fetched.reason, fetched.attempts) == (Reason.NETWORK_ERROR, 1)
    assert "refused" in fetched.detail


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], AsyncIterator[bytes]]


@asynccontextmanager
async def serving(answer: Serve) -> AsyncIterator[str]:
    """Sends what `answer` gives once a request has come, then closes."""
    tasks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            async for data in answer(reader, writer):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*tasks)


class Cutting:
    """A proxy that cuts off the first connection after `most` bytes, then calls `then`."""

    def __init__(self, s3: S3, most: int, then: Callable[[], None]) -> None:
        self._s3, self._most, self._then = s3, most, then
        self.requests: list[bytes] = []

    async def __call__(
        self, reader: asyncio.StreamReader, _: asyncio.StreamWriter
    ) -> AsyncIterator[bytes]:
        first = not self.requests
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        server, to_server = await asyncio.open_connection("127.0.0.1", self._s3.port)
        to_server.write(self.requests[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        if first:
            yield await server.readexactly(self._most)
            self._then()
        else:
            yield await server.read(-1)
        to_server.close()
        await to_server.wait_closed()


def fetch_cut(s3: S3, folder: Path, monkeypatch, then: Callable[[], None]) -> list[bytes]:
    """Fetch through a proxy that cuts off the first connection. Returns the requests."""
    s3.put("original/0007/7.jpg", JPEG)
    cutting = Cutting(s3, 300_000, then)

    async def main() -> None:
        async with serving(cutting) as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL", address)
            (fetched,) = await fetching(s3.source, folder, Sought("7", "jpg"), settings=FAST)
            assert (fetched.reason, fetched.attempts) == (None, 2)

    asyncio.run(main())
    return cutting.requests


def test_a_download_that_broke_off_is_continued_where_the_object_is_the_same(
    s3, tmp_path, monkeypatch
) -> None:
    _, second = fetch_cut(s3, tmp_path, monkeypatch, lambda: None)
    etag = md5(JPEG).hexdigest().encode()
    assert b"range: bytes=29" in second.lower()
    assert b'if-match: "%s"' % etag in second.lower()
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


def test_a_download_that_broke_off_starts_again_where_the_object_changed(
    s3, tmp_path, monkeypatch
) -> None:
    requests = fetch_cut(s3, tmp_path, monkeypatch, lambda: s3.put("original/0007/7.jpg", OTHER))
    assert [b"range:" in request.lower() for request in requests] == [False, True, False]
    assert files(tmp_path) == {"0007/7.jpg": OTHER}


@asynccontextmanager
async def opened(address: str, span: Span | None = None) -> AsyncIterator[Body]:
    from dafre_fast.sources.transports.object_store import Objects

    objects, effort = Objects(FAST, Hosts(FAST, ignore)), Effort(FAST, Budget(0), ignore)
    async with objects, effort, objects.open(address, effort, span) as body:
        yield body


def read(address: str, span: Span | None = None) -> list[bytes]:
    async def main() -> list[bytes]:
        async with opened(address, span) as body:
            return [chunk async for chunk in body.chunks()]

    return asyncio.run(main())


@pytest.mark.parametrize("span", [(0, 1), (5, 400_000), (508_001, None), (507_999, 900_000)])
def test_a_span_gives_just_its_bytes(s3, span) -> None:
    s3.put("a", JPEG)
    assert b"".join(read(f"s3://{s3.bucket}/a", Span(*span))) == JPEG[slice(*span)]


def test_a_span_beyond_the_end_is_worth_another_attempt_without_it(s3) -> None:
    s3.put("a", JPEG)
    with pytest.raises(Passing, match="status 416"):
        read(f"s3://{s3.bucket}/a", Span(len(JPEG)))


def test_a_large_object_comes_in_small_pieces(s3) -> None:
    body = os.urandom(1 << 20) * 40
    s3.put("a", body)
    chunks = read(f"s3://{s3.bucket}/a")
    assert b"".join(chunks) == body
    assert max(map(len, chunks)) <= 1 << 20


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_key_is_taken_as_it_stands(monkeypatch, scheme) -> None:
    key = "a b%20c/ü+?#.jpg"
    requests: list[bytes] = []

    async def answer(reader, _):
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        yield b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: W/"a"\r\n'
        yield b"Last-Modified: Tue, 01 Oct 2024 00:00:00 GMT\r\n\r\nabc"

    async def main() -> None:
        async with serving(answer) as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            monkeypatch.setenv("GOOGLE_BASE_URL", endpoint)
            monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
            async with opened(f"{scheme}://bucket/{key}") as body:
                assert [chunk async for chunk in body.chunks()] == [b"abc"]
                assert body.last_modified == "Tue, 01 Oct 2024 00:00:00 GMT"
                assert (body.total, body.etag, body.strong) == (3, 'W/"a"', False)

    asyncio.run(main())
    _, path, _ = requests[0].split(b" ", 2)
    assert unquote(path.decode()) == f"/bucket/{key}"


@pytest.mark.parametrize("key", ["", "a//b", "a/../b"])
def test_an_address_that_names_no_object_is_refused_without_a_request(tmp_path, key) -> None:
    (fetched,) = fetch("s3://bucket/" + key + "/./{id}.{ext}", tmp_path, Sought("7", "jpg"))
    assert fetched.reason is Reason.HTTP_ERROR


def status(line: bytes) -> Serve:
    async def answer(reader, _):
        await reader.readuntil(b"\r\n\r\n")
        yield b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n"

    return answer


async def says_nothing(reader, _):
    await reader.read()
    yield b""


async def trickles(reader, _):
    await reader.readuntil(b"\r\n\r\n")
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n\xff\xd8\xff"
    await reader.read()


async def breaks_off(reader, _):
    await reader.readuntil(b"\r\n\r\n")
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n\xff\xd8\xff"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(b"503 Slow Down"), Reason.SERVER_ERROR),
        (status(b"429 Too Many Requests"), Reason.SERVER_ERROR),
        (status(b"403 Forbidden"), Reason.FORBIDDEN),
        (status(b"401 Unauthorized"), Reason.UNAUTHORIZED),
        (status(b"418 I'm a teapot"), Reason.HTTP_ERROR),
        (says_nothing, Reason.TOO_SLOW),
        (trickles, Reason.TOO_SLOW),
        (breaks_off, Reason.NETWORK_ERROR),
    ],
)
def test_an_answer_that_is_no_object_has_its_reason(tmp_path, monkeypatch, answer, reason) -> None:
    settings = Fetching(retries=0, stall_timeout=0.3)

    async def main() -> Fetched:
        async with serving(answer) as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            source = "s3://bucket/{id}.{ext}"
            (fetched,) = await fetching(source, tmp_path, Sought("7", "jpg"), settings=settings)
            return fetched

    fetched = asyncio.run(main())
    assert (fetched.reason, files(tmp_path)) == (reason, {})
    assert fetched.detail.startswith("s3://bucket/7.jpg: ")


def test_a_region_that_is_not_the_buckets_ends_the_run_and_says_what_to_set(
    tmp_path, monkeypatch
) -> None:
    async def main() -> None:
        async with serving(status(b"301 Moved Permanently")) as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            await fetching("s3://bucket/{id}.{ext}", tmp_path, "7", settings=FAST)

    with pytest.raises(SourceError, match="AWS_REGION"):
        asyncio.run(main())


def test_without_obstore_a_command_says_what_to_install(tmp_path) -> None:
    (tmp_path / "obstore.py").write_text("raise ImportError")  # the current folder comes first
    (tmp_path / "faces.tsv").write_text("0007\\7.jpg\t1\t0.1, 0.1, 0.9, 0.9 0.95\n")
    flags = ("--faces", "faces.tsv", "--source", "s3://bucket/{id}.{ext}", "--min-images", 1)
    done = dafre("download", *flags, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "pip install 'dafre_fast[objects]'" in line
