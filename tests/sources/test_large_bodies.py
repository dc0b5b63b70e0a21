"""Bodies that come in many pieces."""

import asyncio
import ssl
from collections.abc import AsyncGenerator

import pytest
import trustme

from dafre_fast.core.events import Event, Failed
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.effort import Budget, Effort
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.transports.http import Http
from dafre_fast.sources.transports.stall import StallGuard
from dafre_fast.testing.plays import ETAG, first, right, short_with_etag
from dafre_fast.testing.server import Exchange, Server, head
from tests.sources.loopback import FAST, fetch, fetch_from, files, ignore

LARGE = b"\xff\xd8\xff\xda" + bytes(range(255)) * 6000 + b"\xff\xd9"
OTHER = b"\xff\xd8\xff\xda" + bytes(1_500_000) + b"\xff\xd9"
TWO = Sought("1", extension="jpg"), Sought("2", extension="jpg")
ONE_BY_ONE = Fetching(connections=1, retries=2, timeout=20.0, stall_timeout=5.0)
BOTH = {"0001/1.jpg": LARGE, "0002/2.jpg": LARGE}


def test_large_bodies_come_one_after_the_other_over_one_connection(tmp_path) -> None:
    server = Server(right, LARGE)
    fetch_from(server, tmp_path, *TWO, settings=ONE_BY_ONE)
    assert (files(tmp_path), server.connections) == (BOTH, 1)


def test_large_bodies_come_over_tls(tmp_path) -> None:
    certificate, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.issue_cert("127.0.0.1").configure_cert(tls)
    server = Server(right, LARGE)

    async def main() -> None:
        async with server.on("127.0.0.1", tls) as port:
            settings = Fetching(connections=1, insecure=True)
            await fetch(f"https://127.0.0.1:{port}/{{id}}.{{ext}}", tmp_path, TWO, settings)

    asyncio.run(main())
    assert (files(tmp_path), server.connections) == (BOTH, 1)


def test_what_follows_a_large_body_is_not_taken_for_the_next_answer(tmp_path) -> None:
    async def one_more(x: Exchange) -> None:
        await x.send(head("200 OK", length=len(LARGE)), LARGE)
        if x.path == "/1.jpg":
            await x.send(head("200 OK", length=len(OTHER)), OTHER)

    fetched = fetch_from(Server(one_more), tmp_path, *TWO, settings=ONE_BY_ONE)
    assert [one.reason for one in fetched] == [None, None]
    assert files(tmp_path) == BOTH


def test_a_large_body_that_breaks_off_is_gone_on_with_where_it_broke_off(tmp_path) -> None:
    server = Server(first(1, short_with_etag, then=_rest), LARGE)
    (one,) = fetch_from(server, tmp_path, TWO[0], settings=ONE_BY_ONE)
    assert one.attempts == 2
    assert server.requests[1].headers["range"] == f"bytes={len(LARGE) // 2}-"
    assert files(tmp_path) == {"0001/1.jpg": LARGE}


async def _rest(x: Exchange) -> None:
    start = x.range_start() or 0
    said = f"Content-Range: bytes {start}-{len(LARGE) - 1}/{len(LARGE)}"
    left = LARGE[start:]
    await x.send(head("206 Partial Content", said, f"ETag: {ETAG}", length=len(left)), left)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_large_body_that_always_breaks_off_is_refused(tmp_path, how) -> None:
    async def half(x: Exchange) -> None:
        await x.send(head("200 OK", length=len(LARGE)), LARGE[: len(LARGE) // 2])
        await getattr(x, how)()

    (one,) = fetch_from(Server(half), tmp_path, TWO[0], settings=ONE_BY_ONE)
    assert (one.reason, one.attempts) == (Reason.NETWORK_ERROR, 3)
    assert files(tmp_path) == {}


def test_a_large_body_that_stops_coming_is_too_slow(tmp_path) -> None:
    async def half(x: Exchange) -> None:
        await x.send(head("200 OK", length=len(LARGE)), LARGE[: len(LARGE) // 2])
        await x.until_the_client_goes()

    impatient = Fetching(retries=0, timeout=20.0, stall_timeout=0.3)
    (one,) = fetch_from(Server(half), tmp_path, TWO[0], settings=impatient)
    assert one.reason is Reason.TOO_SLOW


def test_a_large_body_beyond_the_limit_is_refused_where_it_gets_there(tmp_path) -> None:
    async def promises_little(x: Exchange) -> None:
        await x.send(head("200 OK", "Connection: close"), LARGE)
        await x.close()

    told: list[Event] = []
    (one,) = fetch_from(
        Server(promises_little),
        tmp_path,
        TWO[0],
        settings=Fetching(max_bytes=1_000_000),
        tell=told.append,
    )
    assert one.reason is Reason.TOO_MANY_BYTES
    assert [event.reason for event in told if isinstance(event, Failed)] == [one.reason]


def test_bytes_of_a_slow_body_are_given_on_as_they_come() -> None:
    seen = asyncio.Event()

    async def waits(x: Exchange) -> None:
        await x.send(head("200 OK", length=len(LARGE)))
        await x.send(LARGE[:1000])
        await seen.wait()
        await x.send(LARGE[1000:])

    async def main() -> bytes:
        async with Server(waits).on("127.0.0.1") as port, _http() as http:
            effort = Effort(FAST, Budget(0), ignore)
            async with http.open(f"http://127.0.0.1:{port}/1.jpg", effort) as body:
                return await _joined(body.chunks(), seen)

    assert asyncio.run(main()) == LARGE


def _http() -> Http:
    return Http(FAST, Hosts(FAST, ignore))


async def _joined(chunks: AsyncGenerator[bytes], seen: asyncio.Event) -> bytes:
    data = b""
    async for chunk in chunks:
        data += chunk
        seen.set()
    return data


def test_bytes_that_nobody_waited_for_make_up_for_time_that_was_waited() -> None:
    guard = StallGuard(Fetching(min_rate=100, stall_timeout=2.0))
    guard._waited = 1.9
    guard.count(bytes(199))
    assert guard._waited == 1.9
    guard.count(b"1")
    assert guard._waited == 0.0
