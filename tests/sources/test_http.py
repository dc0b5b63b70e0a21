"""HTTP behaviour of a run; its faults are in `tests/faults`."""

import asyncio
import hashlib
import ipaddress
import re
import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from yarl import URL

from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.events import Down, Event, Failed, Pace
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.choose import choose
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.sources.manners.hosts import Reach
from dafre_fast.sources.transports.http_answers import challenges, opted_out, part, retry_after
from dafre_fast.sources.transports.redirects import Hop, guarded_socket, guarding, redirected
from dafre_fast.testing.plays import (
    body,
    endless,
    first,
    gzip_bomb,
    redirect,
    right,
    status,
)
from dafre_fast.testing.server import Exchange, Server, head
from tests.commands import here
from tests.sources.loopback import (
    FAST,
    JPEG,
    OTHER_JPEG,
    WHOLE,
    fetch,
    fetch_from,
    files,
    ignore,
    one_from,
)

EVERYWHERE = frozenset(Reach)
CHALLENGE = b"<html><title>Just a moment...</title></html>"
NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def jpgs(count: int) -> list[Sought]:
    return [Sought(str(number), extension="jpg") for number in range(1, count + 1)]


# Connections.


def test_many_small_files_come_over_few_connections(tmp_path) -> None:
    server = Server(right, JPEG)
    fetched = fetch_from(server, tmp_path, *jpgs(300), settings=Fetching(connections=4))
    assert len(files(tmp_path)) == len(fetched) == 300
    assert 2 <= server.connections <= 4


def test_a_connection_is_kept_after_a_missing_file_whose_page_comes_late(tmp_path) -> None:
    async def late(x: Exchange) -> None:
        await x.send(head("404 Not Found", length=5))
        await asyncio.sleep(0.05)
        await x.send(b"sorry")

    server = Server(late)
    fetched = fetch_from(server, tmp_path, *jpgs(5), settings=Fetching(connections=1))
    assert {one.reason for one in fetched} == {Reason.NOT_FOUND}
    assert (len(server.requests), server.connections) == (5, 1)


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next(tmp_path) -> None:
    later = asyncio.Event()

    async def one_more(x: Exchange) -> None:
        await right(x)
        if x.path == "/1.jpg":
            await asyncio.sleep(0.05)
            await x.send(head("200 OK", length=len(OTHER_JPEG)), OTHER_JPEG)
            later.set()

    async def main() -> None:
        server = Server(one_more, JPEG)
        async with server.on("127.0.0.1") as port:

            async def take(sought: Sought, _: object) -> None:
                if sought.key == "1":
                    await later.wait()
                    await asyncio.sleep(0.05)

            template = f"http://127.0.0.1:{port}/{{id}}.{{ext}}"
            one_by_one = Fetching(connections=1)
            async with choose(template, tmp_path, one_by_one, WHOLE, ignore) as source:
                await source.fetch(jpgs(2), take)

    asyncio.run(main())
    assert files(tmp_path) == {"0001/1.jpg": JPEG, "0002/2.jpg": JPEG}


def test_ipv6_is_spoken(tmp_path) -> None:
    fetch_from(Server(right, JPEG), tmp_path, host="::1")
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


# Requests.


def test_a_request_names_its_user_and_asks_for_the_bytes_as_they_are(tmp_path) -> None:
    server = Server(right, JPEG)
    fetch_from(server, tmp_path, settings=Fetching(contact="me@example.org"))
    (request,) = server.requests
    agent = r"dafre_fast/\d[\w.]* \(\+me@example\.org\)"
    assert re.fullmatch(agent, request.headers["user-agent"])
    assert request.headers["accept-encoding"] == "identity"
    assert not {"range", "if-range", "cookie"} & set(request.headers)


def test_cookies_are_not_kept(tmp_path) -> None:
    async def main() -> Server:
        server = Server(body("Set-Cookie: id=7; Path=/", of=lambda file: file), JPEG)
        async with server.on("127.0.0.1") as port:
            # The library keeps none of an address without a name.
            template = f"http://localhost:{port}/{{id}}.{{ext}}"
            await fetch(template, tmp_path, jpgs(2), Fetching(connections=1))
        return server

    requests = asyncio.run(main()).requests
    assert ["cookie" in request.headers for request in requests] == [False, False]


@pytest.mark.parametrize(
    ("headers", "asked_with"),
    [
        (['ETag: "a"'], '"a"'),
        (['ETag: W/"a"'], None),
        (["ETag: a"], None),
        (["Last-Modified: Wed, 01 May 2024 12:00:00 GMT"], None),
        (['ETag: "a"', "Accept-Ranges: none"], None),
        (['ETag: "a"', "Content-Encoding: gzip"], None),
    ],
)
def test_a_part_is_only_asked_for_of_the_very_file_that_broke_off(
    tmp_path, headers, asked_with
) -> None:
    async def breaks_off(x: Exchange) -> None:
        await x.send(head("200 OK", *headers, length=len(x.file)), x.file[:2000])
        await x.close()

    server = Server(first(1, breaks_off), JPEG)
    fetch_from(server, tmp_path)
    again = server.requests[1].headers
    assert again.get("if-range") == asked_with
    assert ("range" in again) == (asked_with is not None)
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


@pytest.mark.parametrize(
    ("content_range", "part_of"),
    [
        ("bytes 10-99/100", (10, 100)),
        ("bytes 10-99/*", (10, None)),
        ("bytes 10-50/100", (10, 100)),
        ("bytes 11-99/100", None),
        ("bytes 0-99/100", None),
        ("bytes 10-9/100", None),
        ("bytes 10-100/100", None),
        ("bytes */100", None),
        ("items 10-99/100", None),
        ("", None),
    ],
)
def test_a_part_is_taken_where_it_is_the_one_that_was_asked_for(content_range, part_of) -> None:
    headers = {"Content-Range": content_range, "ETag": '"a"'}
    if part_of is None:
        with pytest.raises(Passing, match="Content-Range"):
            part(headers, Span(10), '"a"')
    else:
        assert part(headers, Span(10), '"a"') == part_of


@pytest.mark.parametrize("etag", ['"b"', 'W/"a"', None])
def test_a_part_of_another_file_is_not_taken(etag) -> None:
    headers = {"Content-Range": "bytes 10-99/100"} | ({"ETag": etag} if etag else {})
    with pytest.raises(Passing, match=r'instead of "a"'):
        part(headers, Span(10), '"a"')


def test_a_part_ends_where_it_was_to_end() -> None:
    assert part({"Content-Range": "bytes 10-19/100"}, Span(10, 20), None) == (10, 100)
    with pytest.raises(Passing):
        part({"Content-Range": "bytes 10-20/100"}, Span(10, 20), None)


def test_a_range_that_is_answered_in_part_costs_no_retry(tmp_path) -> None:
    async def in_parts(x: Exchange) -> None:
        start, length = x.range_start(), len(x.file)
        if start is None:
            await x.send(head("200 OK", 'ETag: "a"', length=length), x.file[:1000])
            await x.close()
            return
        part = x.file[start : start + 700]
        span = f"Content-Range: bytes {start}-{start + len(part) - 1}/{length}"
        await x.send(head("206 Partial Content", 'ETag: "a"', span, length=len(part)), part)

    server = Server(in_parts, JPEG)
    (fetched,) = fetch_from(server, tmp_path, settings=Fetching(retries=1))
    assert (fetched.attempts, files(tmp_path)) == (2, {"0007/7.jpg": JPEG})
    assert len(server.requests) == 1 + -(-4006 // 700)
    assert {x.headers.get("if-range") for x in server.requests[1:]} == {'"a"'}


# Refusals before a byte of the body is read.


async def promises_much(x: Exchange) -> None:
    await x.send(head("200 OK", length=10**8))
    await x.until_the_client_goes()


def test_a_file_beyond_the_limit_is_refused_by_its_length(tmp_path) -> None:
    fetched = one_from(promises_much, tmp_path, settings=Fetching(max_bytes=10**6))
    assert (fetched.reason, fetched.attempts) == (Reason.TOO_MANY_BYTES, 1)


def test_a_file_of_another_size_than_is_known_is_refused_by_its_length(tmp_path) -> None:
    known = Sought("7", extension="jpg", bytes=len(JPEG))
    fetched = one_from(promises_much, tmp_path, known=known, settings=FAST)
    assert (fetched.reason, fetched.attempts) == (Reason.WRONG_SIZE, 2)
    assert "5,006" in fetched.detail


def test_a_file_that_is_known_to_be_beyond_the_limit_is_not_asked_for(tmp_path) -> None:
    server = Server(right, JPEG)
    known = Sought("7", extension="jpg", bytes=len(JPEG))
    settings = Fetching(max_bytes=len(JPEG) - 1)
    (fetched,) = fetch_from(server, tmp_path, known, settings=settings)
    assert (fetched.reason, server.requests) == (Reason.TOO_MANY_BYTES, [])


def test_headers_that_are_no_text_do_no_harm(tmp_path) -> None:
    async def play(x: Exchange) -> None:
        said = b'HTTP/1.1 200 OK\r\nETag: "\xff"\r\nLast-Modified: \xff\r\n'
        said += b"Content-Length: %d\r\n\r\n"
        await x.send(said % len(x.file), x.file)

    fetched = one_from(play, tmp_path)
    assert (fetched.reason, fetched.etag, fetched.last_modified) == (None, None, None)


def test_an_outcome_tells_what_the_server_says_of_the_file(tmp_path) -> None:
    modified = "Wed, 01 May 2024 12:00:00 GMT"
    play = body('ETag: "a"', f"Last-Modified: {modified}", of=lambda file: file)
    fetched = one_from(play, tmp_path)
    assert (fetched.etag, fetched.last_modified) == ('"a"', modified)
    assert (fetched.sha256, fetched.proof) == (hashlib.sha256(JPEG).hexdigest(), Proof.UNVERIFIED)


@pytest.mark.parametrize(
    "line", ["101 Switching Protocols", "300 Multiple Choices", "305 Use Proxy"]
)
def test_a_status_that_brings_no_file_is_refused_at_once(tmp_path, line) -> None:
    fetched = one_from(status(line), tmp_path)
    assert (fetched.reason, fetched.attempts) == (Reason.HTTP_ERROR, 1)
    assert fetched.http_status == int(line[:3])


def test_wrong_twice_is_wrong_whatever_lies_between(tmp_path) -> None:
    page = body(of=lambda _: b"<html>")
    between = first(1, page, first(2, status("500 Oh"), page))
    fetched = one_from(between, tmp_path, settings=Fetching(retries=4))
    assert (fetched.reason, fetched.attempts) == (Reason.NOT_AN_IMAGE, 3)


# Manners.


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Wed, 01 May 2024 12:00:30 GMT", 30.0),
        ("Wed, 01 May 2024 11:00:00 GMT", 0.0),
        ("Wed, 01 May 2024 12:00:30", 30.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(said, seconds) -> None:
    assert retry_after({"Retry-After": said}, NOW) == seconds


@pytest.mark.parametrize(
    ("values", "directive"),
    [
        (["noai"], "noai"),
        (["noindex, NoImageAI"], "noimageai"),
        (["all", "noai"], "noai"),
        (["dafre_fast: noai"], "noai"),
        (["*: noimageai"], "noimageai"),
        (["googlebot: noai"], None),
        (["googlebot: noindex, noai"], None),
        (["googlebot: noindex, dafre_fast: noai"], "noai"),
        (["unavailable_after: Wed, 01 May 2024 12:00:00 GMT, noai"], "noai"),
        (["max-image-preview: none, noai"], "noai"),
        (["noindex"], None),
        (["noaiish"], None),
        ([], None),
    ],
)
def test_x_robots_tag_is_heeded_where_it_is_meant_for_us(values, directive) -> None:
    assert opted_out(values) == directive


def test_a_file_marked_noai_is_refused_unless_that_is_switched_off(tmp_path) -> None:
    play = body("X-Robots-Tag: noai", of=lambda file: file)
    heeded = one_from(play, tmp_path / "a")
    taken = one_from(play, tmp_path / "b", settings=Fetching(respect_noai=False))
    assert (heeded.reason, heeded.attempts) == (Reason.OPTED_OUT, 1)
    assert taken.reason is None
    assert (files(tmp_path / "a"), files(tmp_path / "b")) == ({}, {"0007/7.jpg": JPEG})


@pytest.mark.parametrize(
    ("code", "headers", "page", "challenged"),
    [
        (403, {"cf-mitigated": "challenge"}, b"", True),
        (503, {}, CHALLENGE, True),
        (200, {}, b"<div class='h-captcha'>", True),
        (403, {}, b"<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'>", False),
        (403, {}, b"<h1>Forbidden</h1>", False),
        (404, {}, b"<form><div class='g-recaptcha'></form>", False),
    ],
)
def test_a_challenge_is_told_from_other_pages(code, headers, page, challenged) -> None:
    assert challenges(code, headers, page) is challenged


def test_a_challenge_ends_the_run_with_one_request_and_one_line(tmp_path) -> None:
    server = Server(body("Content-Type: text/html", of=lambda _: CHALLENGE))
    with pytest.raises(SourceError, match=r"^http://127.*a challenge page.*--contact$"):
        fetch_from(server, tmp_path, *jpgs(20), settings=Fetching(connections=1))
    assert (len(server.requests), files(tmp_path)) == (1, {})


def test_a_challenge_is_exit_status_1(tmp_path) -> None:
    faces = tmp_path / "faces.tsv"
    rows = (f"{n % 1000:04d}\\{n}.jpg\t5\t0.1, 0.1, 0.5, 0.5 0.9\n" for n in range(1, 31))
    faces.write_text("".join(rows))

    async def main():
        server = Server(body("Content-Type: text/html", of=lambda _: CHALLENGE))
        async with server.on("127.0.0.1") as port:
            source = f"http://127.0.0.1:{port}/{{id}}.{{ext}}"
            flags = ("--faces", faces, "--source", source)
            return await asyncio.to_thread(here, "download", *flags, cwd=tmp_path)

    done = asyncio.run(main())
    assert done.returncode == 1
    assert ["challenge" in line for line in done.stderr.splitlines()].count(True) == 1
    assert "Traceback" not in done.stderr


def test_a_host_that_says_nothing_is_left_alone_after_a_while(tmp_path) -> None:
    async def silent(x: Exchange) -> None:
        await x.until_the_client_goes()

    told: list[Event] = []
    settings = Fetching(retries=0, stall_timeout=0.05, connections=1)
    fetch_from(Server(silent), tmp_path, *jpgs(10), settings=settings, tell=told.append)
    of_host = [type(event) for event in told if not isinstance(event, Pace)]
    assert of_host == [Failed] * 9 + [Down, Failed]


# Redirects.


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("/b.jpg", "http://h/b.jpg"),
        ("b.jpg?x=1", "http://h/a/b.jpg?x=1"),
        ("https://other/b.jpg", "https://other/b.jpg"),
        ("//other/b.jpg", "http://other/b.jpg"),
        ("http://93.184.216.34/b.jpg", "http://93.184.216.34/b.jpg"),
        ("http://h/b%7Ec?name=%27d%27", "http://h/b%7Ec?name=%27d%27"),
        ("/b c.jpg", "http://h/b%20c.jpg"),
    ],
)
def test_a_redirect_leads_to_the_address_as_it_stands_there(location, address) -> None:
    hop = redirected(URL("http://h/a/7.jpg"), location, frozenset({Reach.PUBLIC}))
    assert (str(hop.url), hop.first) == (address, False)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "file:///etc/passwd",
        "ftp://h/7.jpg",
        "data:image/jpeg;base64,AAAA",
        "http://a..b/",
        f"http://{'a' * 64}.org/",
        "http://h:99999/",
        "http://[::1/",
        "http://a\0b/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://192.168.1.1/",
        "http://[fd00::1]/",
        "http://0.0.0.0/",
    ],
)
def test_a_redirect_from_a_public_host_to_nowhere_or_within_is_refused(location) -> None:
    with pytest.raises(Refusal) as refused:
        redirected(URL("http://h/7.jpg"), location, frozenset({Reach.PUBLIC}))
    assert refused.value.reason is Reason.BAD_REDIRECT


@pytest.mark.parametrize(
    ("address", "allowed", "made"),
    [
        ("127.0.0.1", EVERYWHERE, True),
        ("127.0.0.1", {Reach.PUBLIC, Reach.LOOPBACK}, True),
        ("127.0.0.1", {Reach.PUBLIC, Reach.PRIVATE}, False),
        ("10.0.0.1", {Reach.PUBLIC, Reach.PRIVATE}, True),
        ("10.0.0.1", {Reach.PUBLIC}, False),
        ("::1", {Reach.PUBLIC}, False),
        ("fe80::1%lo", {Reach.PUBLIC}, False),
        ("93.184.216.34", {Reach.PUBLIC}, True),
        ("2606:2800:21f::1", {Reach.PUBLIC}, True),
    ],
)
def test_the_resolved_address_is_checked_before_a_socket_is_made(address, allowed, made) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = (family, socket.SOCK_STREAM, 0, "", (address, 80))
    hop = Hop(URL("http://h/"), frozenset(allowed), first=False)
    with guarding(hop), ExitStack() as s:
        if not made:
            s.enter_context(pytest.raises(PermissionError))
        guarded_socket(place).close()
    assert hop.refused.startswith("" if made else address)
    assert bool(hop.refused) is not made


def own_private_address() -> str:
    """This machine's address on its network. Connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        address = probe.getsockname()[0]
    if ipaddress.ip_address(address).is_global or address.startswith("127."):
        pytest.skip("this machine has no private address")
    return address


@pytest.fixture
def names(monkeypatch) -> dict[str, str]:
    """A table of names and addresses that the resolver asks first; tests fill it."""
    lookup, known = socket.getaddrinfo, dict[str, str]()

    def resolve(host: str, *arguments: object, **named: object):
        return lookup(known.get(host, host), *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.mark.parametrize("host", ["{address}", "inner.test"])
@pytest.mark.parametrize(("allowed", "accepted"), [(False, 0), (True, 1)])
def test_a_redirect_from_loopback_to_a_private_address_makes_no_connection_unless_allowed(
    tmp_path, names, allowed, accepted, host
) -> None:
    private = names["inner.test"] = own_private_address()

    async def main() -> int:
        inner = Server(right, JPEG)
        async with inner.on(private) as port:
            outer = Server(redirect(f"http://{host.format(address=private)}:{port}/7.jpg"))
            async with outer.on("127.0.0.1") as place:
                template = f"http://127.0.0.1:{place}/{{id}}.{{ext}}"
                settings = Fetching(allow_private=allowed)
                (fetched,) = await fetch(template, tmp_path, settings=settings)
        assert fetched.reason is (None if allowed else Reason.BAD_REDIRECT)
        return inner.connections

    assert asyncio.run(main()) == accepted


def test_an_address_in_other_figures_is_no_way_within(tmp_path) -> None:
    fetched = one_from(redirect("http://2130706433/7.jpg"), tmp_path)
    assert (fetched.reason, fetched.attempts) == (Reason.BAD_REDIRECT, 1)


def test_an_address_is_asked_for_no_more_often_than_redirects_may_follow(tmp_path) -> None:
    server = Server(redirect("/again.jpg"))
    (fetched,) = fetch_from(server, tmp_path)
    assert (fetched.reason, len(server.requests)) == (Reason.BAD_REDIRECT, 6)


# Proxies.


def test_the_proxy_of_the_environment_is_asked(tmp_path, monkeypatch) -> None:
    async def main() -> Server:
        proxy = Server(right, JPEG)
        async with proxy.on("127.0.0.1") as port:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
            await fetch("http://originals.invalid/{id}.{ext}", tmp_path)
        return proxy

    proxy = asyncio.run(main())
    assert [x.path for x in proxy.requests] == ["http://originals.invalid/7.jpg"]
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


@pytest.mark.parametrize(
    "named", ["http://me:secret@127.0.0.1:{port}", "me:secret@127.0.0.1:{port}"]
)
def test_a_proxy_is_told_who_asks_and_the_host_is_not(tmp_path, monkeypatch, named) -> None:
    async def main() -> Server:
        proxy = Server(right, JPEG)
        async with proxy.on("127.0.0.1") as port:
            monkeypatch.setenv("http_proxy", named.format(port=port))
            await fetch("http://originals.invalid/{id}.{ext}", tmp_path)
        return proxy

    (request,) = asyncio.run(main()).requests
    assert request.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert "authorization" not in request.headers


def test_https_goes_through_a_tunnel(tmp_path, monkeypatch) -> None:
    async def main() -> Server:
        proxy = Server(status("403 Forbidden"))
        async with proxy.on("127.0.0.1") as port:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            (fetched,) = await fetch(
                "https://originals.invalid/{id}.{ext}", tmp_path, settings=Fetching(retries=0)
            )
        assert fetched.reason is Reason.NETWORK_ERROR
        return proxy

    assert [x.path for x in asyncio.run(main()).requests] == ["originals.invalid:443"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_is_told_from_the_host(tmp_path, monkeypatch, scheme) -> None:
    async def main() -> None:
        proxy = Server(status("407 Proxy Authentication Required", "Proxy-Authenticate: Basic"))
        async with proxy.on("127.0.0.1") as port:
            monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{port}")
            (fetched,) = await fetch(f"{scheme}://originals.invalid/{{id}}.{{ext}}", tmp_path)
        assert (fetched.reason, fetched.attempts) == (Reason.UNAUTHORIZED, 1)
        assert "put USER:PASSWORD@ before its host in http_proxy" in fetched.detail

    asyncio.run(main())


def test_a_host_that_a_proxy_does_not_reach_is_not_waited_for(tmp_path, monkeypatch) -> None:
    async def main() -> list[Fetched]:
        proxy = Server(status("503 Service Unavailable"))
        async with proxy.on("127.0.0.1") as port:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
            once = Fetching(retries=0, patience=600.0, rate=1000.0)
            return await fetch("http://originals.invalid/{id}.jpg", tmp_path, jpgs(50), once)

    found = asyncio.run(main())
    assert {one.reason for one in found} == {Reason.SERVER_ERROR}
    assert found[-1].detail.endswith("originals.invalid:80 never answered: status 503")


@pytest.mark.parametrize("named", ["socks5://127.0.0.1:1080", "http://127.0.0.1:port"])
def test_a_proxy_that_cannot_be_asked_is_wrong_usage(tmp_path, monkeypatch, named) -> None:
    monkeypatch.setenv("http_proxy", named)
    with pytest.raises(UsageError, match="http_proxy"):
        asyncio.run(fetch("http://originals.invalid/{id}.{ext}", tmp_path))


def test_a_host_that_needs_no_proxy_is_asked_itself(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:9")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1,::1")
    fetch_from(Server(right, JPEG), tmp_path)
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


def test_a_proxy_is_no_way_within(tmp_path, monkeypatch) -> None:
    async def main() -> Server:
        proxy = Server(redirect("http://127.0.0.1:9/7.jpg"))
        async with proxy.on("127.0.0.1") as port:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
            (fetched,) = await fetch("http://originals.invalid/{id}.{ext}", tmp_path)
        assert fetched.reason is Reason.BAD_REDIRECT
        return proxy

    assert len(asyncio.run(main()).requests) == 1


# Names.


def test_a_host_that_has_moved_is_found_at_its_new_address(tmp_path, names) -> None:
    names["originals.test"] = "127.0.0.2"  # nobody listens there

    def move(_: Event) -> None:
        names["originals.test"] = "127.0.0.1"

    async def main() -> None:
        async with Server(right, JPEG).on("127.0.0.1") as port:
            await fetch(f"http://originals.test:{port}/{{id}}.{{ext}}", tmp_path, tell=move)

    asyncio.run(main())
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


# Time.


def test_the_total_time_ends_an_original_while_it_waits_for_its_next_attempt(tmp_path) -> None:
    settings = Fetching(retries=50, timeout=0.3, connections=1)
    fails = status("500 Oh")

    async def by_path(x: Exchange) -> None:
        await (fails if x.path == "/1.jpg" else right)(x)

    fetched = fetch_from(Server(by_path, JPEG), tmp_path, *jpgs(2), settings=settings)
    assert [one.reason for one in fetched] == [Reason.DOWNLOAD_TIMEOUT, None]
    assert files(tmp_path) == {"0002/2.jpg": JPEG}


def test_a_wait_that_the_host_asks_for_is_no_time_of_the_original(tmp_path) -> None:
    busy = first(1, status("429 Too Many Requests", "Retry-After: 2"))
    server = Server(busy, JPEG)
    settings = Fetching(retries=1, timeout=1.5)
    (fetched,) = fetch_from(server, tmp_path, settings=settings)
    assert (fetched.reason, fetched.attempts) == (None, 2)
    assert fetched.seconds < 1.5


# Memory.

GROWTH_BYTES = 64_000_000
CAP_BYTES = 200_000_000


def peak_bytes() -> int:
    """Peak memory of this process since its start, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


def grow(url: str, folder: Path, answer: Connection) -> None:
    """Fetch a small file, then the large one; send its reason and the growth of the peak memory.

    Runs in its own process.
    """
    settings = Fetching(max_bytes=CAP_BYTES)
    sought = [Sought(key, extension="jpg") for key in ("1", "2")]
    asyncio.run(fetch(url, folder, sought[:1], settings))
    before = peak_bytes()
    (fetched,) = asyncio.run(fetch(url, folder, sought[1:], settings))
    answer.send((fetched.reason, peak_bytes() - before))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells of memory so")
@pytest.mark.parametrize("play", [gzip_bomb(1000), endless(JPEG[:100])], ids=["gzip", "endless"])
def test_a_body_that_grows_large_takes_little_memory_up_to_the_limit(tmp_path, play) -> None:
    async def small_first(x: Exchange) -> None:
        await (right if x.path == "/1.jpg" else play)(x)

    async def main() -> tuple[Reason, int]:
        async with Server(small_first, JPEG).on("127.0.0.1") as port:
            context = get_context("spawn")
            ours, theirs = context.Pipe(duplex=False)
            url = f"http://127.0.0.1:{port}/{{id}}.{{ext}}"
            process = context.Process(target=grow, args=(url, tmp_path, theirs))
            process.start()
            theirs.close()
            answer = await asyncio.to_thread(ours.recv)
            await asyncio.to_thread(process.join)
        return answer

    reason, growth = asyncio.run(main())
    assert reason is Reason.TOO_MANY_BYTES
    assert growth < GROWTH_BYTES
    assert set(files(tmp_path)) == {"0001/1.jpg"}
