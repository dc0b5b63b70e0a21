import asyncio
import io
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from dafre_fast.model.errors import OutputError, UsageError
from dafre_fast.model.events import Event
from dafre_fast.model.reason import Reason
from dafre_fast.model.records import Fetched, Sought
from dafre_fast.model.settings import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.arrival import HEAD_BYTES, Check
from dafre_fast.sources.hosts import Hosts
from dafre_fast.sources.http import Http
from dafre_fast.sources.template import Template


def png_of(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


JPEG = b"\xff\xd8\xff\xda" + bytes(5000) + b"\xff\xd9"
PNG = png_of(Image.effect_noise((300, 300), 90))
GIF = b"GIF89a" + bytes(600) + b";"
WHOLE = Check(head=sniff, whole=check_end)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(JPEG)
FAST = Fetching(retries=2, timeout=10.0)

Handler = Callable[[web.Request], web.Response]


class Host:
    """A server on the loopback whose answers are a function; it counts what it is asked for."""

    def __init__(self, answer: Handler) -> None:
        self._answer, self.asked = answer, Counter[str]()

    async def handle(self, request: web.Request) -> web.Response:
        self.asked[request.path] += 1
        return self._answer(request)


def template(address: str, folder: Path, settings: Fetching, check: Check = WHOLE) -> Template:
    transport = Http(settings, Hosts(settings, ignore))
    return Template(address, transport, folder, settings, check, ignore)


def ignore(_: Event) -> None:
    """Nobody listens."""


async def fetch_all(source: Template, sought: list[Sought]) -> list[Fetched]:
    found: list[Fetched] = []

    async def take(_: Sought, fetched: Fetched) -> None:
        found.append(fetched)

    async with source:
        await source.fetch(sought, take)
    return found


def fetch(
    host: Host, folder: Path, *sought: str | Sought, settings: Fetching = FAST
) -> list[Fetched]:
    async def main() -> list[Fetched]:
        app = web.Application()
        app.router.add_get("/{path:.*}", host.handle)
        async with TestServer(app) as server:
            address = str(server.make_url("/")) + "original/{bucket}/{id}.{ext}"
            known = [one if isinstance(one, Sought) else Sought(one) for one in sought]
            return await fetch_all(template(address, folder, settings), known)

    return asyncio.run(main())


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def only(extension: str, body: bytes) -> Handler:
    def answer(request: web.Request) -> web.Response:
        if request.path.endswith(extension):
            return web.Response(body=body)
        return web.Response(status=404)

    return answer


def test_an_original_lies_in_its_bucket_byte_for_byte(tmp_path) -> None:
    (fetched,) = fetch(Host(only(".jpg", JPEG)), tmp_path, "332446")
    assert files(tmp_path) == {"0446/332446.jpg": JPEG}
    assert (fetched.path, fetched.bytes) == (str(tmp_path / "0446/332446.jpg"), len(JPEG))


def test_extensions_are_tried_in_order_until_one_is_there(tmp_path) -> None:
    host = Host(only(".gif", GIF))
    fetch(host, tmp_path, "7")
    assert list(host.asked) == [f"/original/0007/7.{ext}" for ext in ("jpg", "png", "gif")]


def test_an_image_that_is_nowhere_is_not_found_and_asked_for_once_per_extension(tmp_path) -> None:
    host = Host(lambda _: web.Response(status=404))
    (fetched,) = fetch(host, tmp_path, "7")
    assert (fetched.reason, host.asked.total()) == (Reason.NOT_FOUND, 5)


def test_a_passing_failure_is_tried_again(tmp_path) -> None:
    def stumble(request: web.Request) -> web.Response:
        if host.asked[request.path] == 1:
            return web.Response(status=503)
        return web.Response(body=JPEG)

    host = Host(stumble)
    (fetched,) = fetch(host, tmp_path, "7")
    assert (fetched.reason, fetched.attempts, files(tmp_path)) == (None, 2, {"0007/7.jpg": JPEG})


def test_without_retries_a_passing_failure_stands(tmp_path) -> None:
    host = Host(lambda _: web.Response(status=503))
    (fetched,) = fetch(host, tmp_path, "7", settings=Fetching(retries=0))
    assert (fetched.reason, host.asked.total()) == (Reason.SERVER_ERROR, 1)


@pytest.mark.parametrize(
    ("status", "reason", "requests"),
    [
        (500, Reason.SERVER_ERROR, 3),
        (429, Reason.SERVER_ERROR, 3),
        (403, Reason.FORBIDDEN, 1),
        (451, Reason.FORBIDDEN, 1),
        (418, Reason.HTTP_ERROR, 1),
    ],
)
def test_a_status_has_its_reason_and_number_of_tries(tmp_path, status, reason, requests) -> None:
    host = Host(lambda _: web.Response(status=status))
    (fetched,) = fetch(host, tmp_path, "7")
    assert (fetched.reason, host.asked.total()) == (reason, requests)
    assert str(status) in fetched.detail


def test_a_body_that_is_no_image_is_refused_by_the_name_of_what_it_is(tmp_path) -> None:
    page = b"<html>too many requests</html>"
    host = Host(lambda _: web.Response(body=page, content_type="image/jpeg"))
    (fetched,) = fetch(host, tmp_path, "7")
    assert (fetched.reason, files(tmp_path)) == (Reason.NOT_AN_IMAGE, {})
    assert "HTML" in fetched.detail


def test_an_empty_body_is_refused(tmp_path) -> None:
    (fetched,) = fetch(Host(lambda _: web.Response(body=b"")), tmp_path, "7")
    assert (fetched.reason, files(tmp_path)) == (Reason.EMPTY_FILE, {})


def test_a_large_body_is_written_whole(tmp_path) -> None:
    body = JPEG[:-2] + bytes(range(256)) * 20_000 + JPEG[-2:]
    fetch(Host(only(".jpg", body)), tmp_path, "7")
    assert files(tmp_path) == {"0007/7.jpg": body}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a disk that is almost full: what is written beyond is cut off, then refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_only_a_part_ends_the_run_and_keeps_no_part(tmp_path) -> None:
    with largest_file(len(PNG) - 1), pytest.raises(OutputError, match=r"7\.png"):
        fetch(Host(only(".png", PNG)), tmp_path, "7")
    assert files(tmp_path) == {}


def test_a_folder_that_cannot_be_made_ends_the_run_with_its_name(tmp_path) -> None:
    (tmp_path / "0007").touch()
    with pytest.raises(OutputError, match="0007"):
        fetch(Host(only(".jpg", JPEG)), tmp_path, "7")


def test_a_body_beyond_the_limit_leaves_nothing_behind(tmp_path) -> None:
    host = Host(lambda _: web.Response(body=JPEG))
    at_limit = Fetching(max_bytes=len(JPEG))
    (within,) = fetch(host, tmp_path / "a", "7", settings=at_limit)
    below = Fetching(max_bytes=len(JPEG) - 1)
    (beyond,) = fetch(host, tmp_path / "b", "7", settings=below)
    assert (within.reason, beyond.reason) == (None, Reason.TOO_MANY_BYTES)
    assert files(tmp_path / "b") == {}


def fetch_from_socket(
    answer: bytes | None, folder: Path, settings: Fetching, check: Check = WHOLE
) -> Fetched:
    """From a server that sends these bytes, one by one, and closes, or none and waits for the
    client to go.
    """
    connections: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()
        else:
            for byte in answer:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)  # the client's turn
        writer.close()
        await writer.wait_closed()

    async def main() -> Fetched:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}/{{id}}.{{ext}}"
        async with server:
            source = template(address, folder, settings, check)
            (fetched,) = await fetch_all(source, [Sought("7")])
            await asyncio.gather(*(task for task in connections if task))
        return fetched

    return asyncio.run(main())


def test_the_first_bytes_are_checked_once_however_they_arrive(tmp_path) -> None:
    seen: list[bytes] = []
    fetch_from_socket(OK + JPEG, tmp_path, FAST, Check(seen.append, check_end))
    (head,) = seen
    assert len(head) >= HEAD_BYTES
    assert JPEG.startswith(head)


def test_a_connection_cut_in_the_middle_never_leaves_a_file_under_the_final_name(tmp_path) -> None:
    fetched = fetch_from_socket(OK + JPEG[:3000], tmp_path, FAST)
    assert (fetched.reason, files(tmp_path)) == (Reason.NETWORK_ERROR, {})


def test_a_server_that_says_nothing_is_given_up_after_the_timeout(tmp_path) -> None:
    fetched = fetch_from_socket(None, tmp_path, Fetching(timeout=0.3))
    assert (fetched.reason, files(tmp_path)) == (Reason.DOWNLOAD_TIMEOUT, {})


@pytest.mark.parametrize("address", ["http://h/{nonsense}", "http://h/{id", "http://h/1.jpg"])
def test_a_template_that_names_no_image_is_refused_before_any_request(tmp_path, address) -> None:
    with pytest.raises(UsageError, match="--source"):
        template(address, tmp_path, FAST)
