"""Addresses by a template: which are asked for, in which order, and what comes of it."""

import asyncio
import hashlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dafre_fast.core.errors import OutputError, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.choose import choose
from dafre_fast.testing.plays import PAGE, body, first, redirect, right, status
from dafre_fast.testing.server import Exchange, Play, Server
from tests.sources.loopback import (
    FAST,
    JPEG,
    OTHER_JPEG,
    WHOLE,
    fetch,
    fetch_from,
    files,
    ignore,
)

SEVEN = Sought("7")
"""Its extension is not known."""
_missing = status("404 Not Found")


def only(extension: str) -> Play:
    async def play(x: Exchange) -> None:
        await (right if x.path.endswith(extension) else _missing)(x)

    return play


def paths(server: Server) -> list[str]:
    return [request.path for request in server.requests]


def test_an_original_lies_in_its_bucket_byte_for_byte(tmp_path) -> None:
    (fetched,) = fetch_from(Server(only(".jpg"), JPEG), tmp_path, Sought("332446"))
    assert files(tmp_path) == {"0446/332446.jpg": JPEG}
    assert (fetched.path, fetched.bytes) == (str(tmp_path / "0446/332446.jpg"), len(JPEG))


def test_extensions_are_tried_in_order_until_one_is_there(tmp_path) -> None:
    server = Server(only(".gif"), JPEG)
    fetch_from(server, tmp_path, SEVEN)
    assert paths(server) == ["/7.jpg", "/7.png", "/7.gif"]
    assert files(tmp_path) == {"0007/7.gif": JPEG}


def test_a_known_extension_is_the_only_one_that_is_tried(tmp_path) -> None:
    server = Server(_missing)
    (fetched,) = fetch_from(server, tmp_path, Sought("7", extension="png"))
    assert (fetched.reason, paths(server)) == (Reason.NOT_FOUND, ["/7.png"])


def test_an_image_that_is_nowhere_is_not_found_and_asked_for_once_per_extension(tmp_path) -> None:
    server = Server(_missing)
    (fetched,) = fetch_from(server, tmp_path, SEVEN)
    assert (fetched.reason, fetched.attempts, len(paths(server))) == (Reason.NOT_FOUND, 5, 5)
    assert len(set(paths(server))) == 5


async def elsewhere(x: Exchange) -> None:
    """Lead every unknown path to the start page."""
    await (body("Content-Type: text/html", of=lambda _: PAGE) if x.path == "/" else redirect("/"))(
        x
    )


STANDS_FOR_MISSING = {
    "403": status("403 Forbidden"),
    "451": status("451 Unavailable For Legal Reasons"),
    "410": status("410 Gone"),
    "400": status("400 Bad Request"),
    "page": body("Content-Type: text/html", of=lambda _: PAGE),
    "page as an image": body("Content-Type: image/jpeg", of=lambda _: PAGE),
    "page marked noai": body("Content-Type: text/html", "X-Robots-Tag: noai", of=lambda _: PAGE),
    "JSON": body("Content-Type: application/json", of=lambda _: b'{"error": "not found"}'),
    "nothing": body(of=lambda _: b""),
    "204": status("204 No Content"),
    "start page": elsewhere,
    "redirect loop": redirect("?again"),
}


@pytest.mark.parametrize("name", STANDS_FOR_MISSING)
def test_after_an_answer_that_may_mean_missing_the_next_extension_is_tried(tmp_path, name) -> None:
    async def play(x: Exchange) -> None:
        await (right if x.path.endswith(".gif") else STANDS_FOR_MISSING[name])(x)

    server = Server(play, JPEG)
    (fetched,) = fetch_from(server, tmp_path, SEVEN)
    assert (fetched.reason, files(tmp_path)) == (None, {"0007/7.gif": JPEG})
    assert [paths(server).count(f"/7.{one}") for one in ("jpg", "png", "gif")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "reason", "answer"),
    [
        ("403", Reason.FORBIDDEN, 403),
        ("400", Reason.HTTP_ERROR, 400),
        ("page", Reason.NOT_AN_IMAGE, 200),
        ("start page", Reason.NOT_AN_IMAGE, 200),
        ("nothing", Reason.EMPTY_FILE, 200),
        ("410", Reason.NOT_FOUND, 410),
    ],
)
def test_if_no_extension_is_there_the_most_telling_answer_is_the_reason(
    tmp_path, name, reason, answer
) -> None:
    async def play(x: Exchange) -> None:
        await (_missing if x.path.endswith((".jpg", ".gif")) else STANDS_FOR_MISSING[name])(x)

    (fetched,) = fetch_from(Server(play, JPEG), tmp_path, SEVEN)
    assert (fetched.reason, fetched.http_status) == (reason, answer)
    assert reason is Reason.NOT_FOUND or fetched.url.endswith("/7.png")


def test_a_page_that_comes_once_costs_no_original(tmp_path) -> None:
    async def play(x: Exchange) -> None:
        page = STANDS_FOR_MISSING["page"]
        await (first(1, page) if x.path.endswith(".jpg") else _missing)(x)

    (fetched,) = fetch_from(Server(play, JPEG), tmp_path, SEVEN)
    assert (fetched.reason, files(tmp_path)) == (None, {"0007/7.jpg": JPEG})


def test_a_known_md5_tells_which_extension_is_the_right_one(tmp_path) -> None:
    async def play(x: Exchange) -> None:
        await (right if x.path.endswith(".png") else body(of=lambda _: OTHER_JPEG))(x)

    sought = Sought("7", md5=hashlib.md5(JPEG).hexdigest(), bytes=len(JPEG))
    (fetched,) = fetch_from(Server(play, JPEG), tmp_path, sought)
    assert (fetched.reason, files(tmp_path)) == (None, {"0007/7.png": JPEG})


@pytest.mark.parametrize("line", ["401 Unauthorized", "407 Proxy Authentication Required"])
def test_where_a_login_is_wanted_no_further_extension_is_tried(tmp_path, line) -> None:
    server = Server(status(line))
    (fetched,) = fetch_from(server, tmp_path, SEVEN)
    assert (fetched.reason, len(paths(server))) == (Reason.UNAUTHORIZED, 1)
    assert "USER:PASSWORD@" in fetched.detail


def test_an_address_may_be_made_of_the_md5(tmp_path) -> None:
    async def main() -> None:
        server = Server(right, JPEG)
        md5 = hashlib.md5(JPEG).hexdigest()
        sought = [Sought("7", extension="png", md5=md5), Sought("8", extension="png")]
        async with server.on("127.0.0.1") as port:
            template = f"http://127.0.0.1:{port}/{{md5[0:2]}}/{{md5[2:4]}}/{{md5}}.{{ext}}"
            seven, eight = sorted(await fetch(template, tmp_path, sought), key=lambda one: one.key)
        assert (seven.reason, eight.reason) == (None, Reason.MISSING_ORIGINAL)
        assert paths(server) == [f"/{md5[:2]}/{md5[2:4]}/{md5}.png"]

    asyncio.run(main())
    assert files(tmp_path) == {"0007/7.png": JPEG}


def test_a_passing_failure_is_tried_again(tmp_path) -> None:
    busy = status("503 Service Unavailable")
    (fetched,) = fetch_from(Server(first(1, busy), JPEG), tmp_path, SEVEN)
    assert (fetched.reason, fetched.attempts, files(tmp_path)) == (None, 2, {"0007/7.jpg": JPEG})


def test_without_retries_a_passing_failure_stands(tmp_path) -> None:
    server = Server(status("503 Service Unavailable"))
    (fetched,) = fetch_from(server, tmp_path, SEVEN, settings=Fetching(retries=0))
    assert (fetched.reason, len(server.requests)) == (Reason.SERVER_ERROR, 1)


@pytest.mark.parametrize(
    ("line", "reason", "requests"),
    [
        ("500 Oh", Reason.SERVER_ERROR, 3),
        ("429 Too Many Requests", Reason.SERVER_ERROR, 3),
        ("401 Unauthorized", Reason.UNAUTHORIZED, 1),
        ("403 Forbidden", Reason.FORBIDDEN, 1),
        ("418 I'm a teapot", Reason.HTTP_ERROR, 1),
    ],
)
def test_a_status_has_its_reason_and_number_of_tries(tmp_path, line, reason, requests) -> None:
    server = Server(status(line))
    (fetched,) = fetch_from(server, tmp_path)
    assert (fetched.reason, len(server.requests)) == (reason, requests)
    assert line[:3] in fetched.detail


def test_a_body_that_is_no_image_is_refused_by_the_name_of_what_it_is(tmp_path) -> None:
    server = Server(right, b"<html>too many requests</html>")
    (fetched,) = fetch_from(server, tmp_path)
    assert (fetched.reason, files(tmp_path)) == (Reason.NOT_AN_IMAGE, {})
    assert "HTML" in fetched.detail


def test_a_large_body_is_written_whole(tmp_path) -> None:
    large = JPEG[:-2] + bytes(range(256)) * 20_000 + JPEG[-2:]
    fetch_from(Server(right, large), tmp_path)
    assert files(tmp_path) == {"0007/7.jpg": large}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit the size of files like an almost full disk: a write is cut short, then refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_only_a_part_ends_the_run_and_keeps_no_part(tmp_path) -> None:
    with largest_file(len(JPEG) - 1), pytest.raises(OutputError, match=r"7\.jpg"):
        fetch_from(Server(right, JPEG), tmp_path)
    assert files(tmp_path) == {}


def test_a_folder_that_cannot_be_made_ends_the_run_with_its_name(tmp_path) -> None:
    (tmp_path / "0007").touch()
    with pytest.raises(OutputError, match="0007"):
        fetch_from(Server(right, JPEG), tmp_path)


@pytest.mark.parametrize("address", ["http://h/{nonsense}", "http://h/{id", "http://h/1.jpg"])
def test_a_template_that_names_no_image_is_refused_before_any_request(tmp_path, address) -> None:
    with pytest.raises(UsageError, match="--source"):
        choose(address, tmp_path, FAST, WHOLE, ignore)
