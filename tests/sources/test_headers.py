"""Whatever stands in a header costs its image at most."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Event, Held
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Span
from dafre_fast.sources.transports import codings, http_answers
from dafre_fast.testing.plays import body, first, redirect, right, status
from dafre_fast.testing.server import Exchange, Server, head
from tests.commands import here
from tests.sources.loopback import FAST, JPEG, fetch_from, files, one_from

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
READ = (
    "Accept-Ranges", "Alt-Svc", "CF-Mitigated", "Connection", "Content-Disposition",
    "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Date", "ETag",
    "Keep-Alive", "Last-Modified", "Link", "Location", "RateLimit", "RateLimit-Policy",
    "Retry-After", "Set-Cookie", "Trailer", "Transfer-Encoding", "Upgrade", "X-Robots-Tag",
)  # fmt: skip
"""Headers that this package or its HTTP library reads."""
WRONG = (
    "", ",", ";", "=", "<", "<>", '"', "%", "\\", "-1", "NaN", "inf", "1e400", "9" * 400,
    "a" * 9000, "é", "\x1b[0m", "٣", "<http://[bad>; rel=next", "<http://h:99999/>; rel=next",
    "bytes 5-1/0", "Wed, 01 Jan 9999 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359",
    "Wed, 01 May 20240000000000000000000 12:00:00 GMT", "=?utf-8?q?x?=", 'text/html; charset="',
    "a=b; expires=never; domain=\x01; max-age=" + "9" * 99, "javascript:alert(1)", "//", "https://",
    "http://bücher.example:port/", "gzip, gzip", "chunked, nonsense", "upgrade", "h2c",
)  # fmt: skip
CASES = [(name, value) for name in READ for value in WRONG]
ODD = {"Content-Encoding", "Content-Length", "Transfer-Encoding"}
"""Headers that say how the bytes are to be read: where they are wrong the image is refused."""


def odd_answers(line: str) -> Server:
    """Return a server whose image n has the header n of `CASES` in its answer, 0 none."""

    async def play(x: Exchange) -> None:
        number = int(x.path[1:].partition(".")[0])
        name, value = CASES[number - 1] if number else ("X-Nothing", "")
        said = f"HTTP/1.1 {line}\r\n{name}: {value}\r\n".encode()
        await x.send(said + b"Content-Length: %d\r\n\r\n" % len(x.file), x.file)

    return Server(play, JPEG)


@pytest.mark.slow
def test_a_wrong_header_costs_its_image_at_most(tmp_path) -> None:
    sought = [Sought(str(number), extension="jpg") for number in range(len(CASES) + 1)]
    found = fetch_from(odd_answers("200 OK"), tmp_path, *sought, settings=Fetching(retries=0))
    assert len(found) == len(sought)
    names = {one.key: CASES[int(one.key) - 1][0] for one in found if one.key != "0"}
    lost = {names[one.key] for one in found if one.reason}
    assert lost <= ODD
    assert {one.reason for one in found} == {None, Reason.HTTP_ERROR}


def test_a_wrong_header_of_a_redirect_costs_its_image_at_most(tmp_path) -> None:
    locations = [n for n, (name, _) in enumerate(CASES, 1) if name in {"Location", *ODD}]
    sought = [Sought(str(number), extension="jpg") for number in locations]

    async def play(x: Exchange) -> None:
        number = x.path[1:].partition(".")[0]
        if not (number.isdecimal() and int(number) in locations):
            await status("404 Not Found")(x)
            return
        name, value = CASES[int(number) - 1]
        said = f"HTTP/1.1 302 Found\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n"
        await x.send(said.encode())

    found = fetch_from(Server(play), tmp_path, *sought, settings=Fetching(retries=0))
    assert len(found) == len(sought)
    assert {one.reason for one in found} <= {
        Reason.BAD_REDIRECT, Reason.NOT_FOUND, Reason.HTTP_ERROR, Reason.DNS_ERROR
    }  # fmt: skip


def test_a_wrong_header_ends_no_command(tmp_path) -> None:
    faces = tmp_path / "faces.tsv"
    faces.write_text("".join(f"000{n}\\{n}.jpg\t5\t0.1, 0.1, 0.5, 0.5 0.9\n" for n in (1, 2, 3)))

    async def play(x: Exchange) -> None:
        link = ["Link: <http://[bad/style.css>; rel=preload"] if x.path == "/2.jpg" else []
        await x.send(head("200 OK", *link, length=len(x.file)), x.file)

    async def main():
        async with Server(play, JPEG).on("127.0.0.1") as port:
            source = f"http://127.0.0.1:{port}/{{id}}.{{ext}}"
            flags = ("--faces", faces, "--source", source, "--min-images", "1", "--output", "into")
            return await asyncio.to_thread(here, "download", *flags, cwd=tmp_path)

    done = asyncio.run(main())
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len([*Path(tmp_path, "into").rglob("*.jpg")]) == 3


@pytest.mark.parametrize("size", [9_000, 60_000])
@pytest.mark.parametrize("name", ["Content-Security-Policy", "Set-Cookie", "Link"])
def test_a_long_header_is_read(tmp_path, name, size) -> None:
    fetched = one_from(body(f"{name}: {'a' * size}", of=lambda file: file), tmp_path)
    assert (fetched.reason, files(tmp_path)) == (None, {"0007/7.jpg": JPEG})


def test_a_long_location_is_followed(tmp_path) -> None:
    async def play(x: Exchange) -> None:
        await (right if x.path.startswith("/to") else redirect(f"/to?{'a' * 9_000}"))(x)

    assert one_from(play, tmp_path).reason is None


def test_headers_that_cannot_be_read_say_nothing_about_the_host(tmp_path) -> None:
    """Twenty in a row: ten failures of a host would make it rest."""

    async def play(x: Exchange) -> None:
        twice = ["Content-Length: 3"] if x.path != "/21.jpg" else []
        await x.send(head("200 OK", *twice, length=len(x.file)), x.file)

    sought = [Sought(str(number), extension="jpg") for number in range(1, 22)]
    alone = Fetching(retries=0, connections=1, patience=0)
    found = fetch_from(Server(play, JPEG), tmp_path, *sought, settings=alone)
    assert [one.reason for one in found] == [Reason.HTTP_ERROR] * 20 + [None]


# What single headers say.


@pytest.mark.parametrize(
    "said",
    ["٣", "1.5", "1e3", "NaN", "inf", "9" * 30, "99999999999", "+5", "5 5", "0x5", "5;",
     "Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 01 May 2024000000000000000 12:00:00 GMT",
     "Wed, 99 May 2024 12:00:00 GMT", "Wed, 01 May 2024 12:00:00 +9999", "1 2 3 4 5 6 7"],
)  # fmt: skip
def test_a_retry_after_that_nobody_can_mean_is_none(said) -> None:
    assert http_answers.retry_after({"Retry-After": said}, NOW) is None


def test_a_retry_after_of_long_ago_is_now() -> None:
    said = {"Retry-After": "Mon, 01 Jan 0001 00:00:00 +2359"}
    assert http_answers.retry_after(said, NOW) == 0.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ('"api";r=0;t=55', 55.0),
        ('"api"; r=0; t=55', 55.0),
        ('"api";t=55;r=0', 55.0),
        ('"burst";r=0;t=2, "daily";r=5;t=9000', 2.0),
        ('"burst";r=0;t=2, "daily";r=0;t=90', 90.0),
        ('"api";r=1;t=55', None),
        ('"api";r=0', None),
        ('"api";r=0;t=0', None),
        ('"api";r=0;t=1.5', None),
        ('"api";r=00;t=' + "9" * 30, None),
        ('"api";r=0;t=99999999999', None),
        ("limit=10, remaining=0, reset=5", None),
        ("", None),
    ],
)
def test_a_rate_limit_is_a_wait_where_none_are_left(said, seconds) -> None:
    assert http_answers.rate_limit({"RateLimit": said}) == seconds


@pytest.mark.parametrize(
    ("values", "reference"),
    [
        (['<http://h/a?page=2>; rel="next"'], "http://h/a?page=2"),
        (["<?page=2>;rel=next"], "?page=2"),
        (['<a>; rel="prev", <b,c>; title="x"; rel="last NEXT"'], "b,c"),
        (["<a>; rel=prev", "<b>; rel=next"], "b"),
        (["<http://[bad>; rel=next"], "http://[bad"),
        (["<a>; rel=nexte", "a; rel=next", "<a; rel=next", "<a>"], None),
        ([], None),
    ],
)
def test_the_next_page_is_told_as_it_stands(values, reference) -> None:
    assert http_answers.next_page(values) == reference


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_what_reads_headers(text) -> None:
    headers = dict.fromkeys(READ, text)
    http_answers.retry_after(headers, NOW)
    http_answers.rate_limit(headers)
    http_answers.next_page([text, text])
    http_answers.is_page(headers)
    http_answers.detail(401, headers, text)
    http_answers.opted_out([text])
    http_answers.challenges(403, headers, text.encode(errors="replace"))
    http_answers.strong(http_answers.plain(text))
    with suppress(Refusal):
        codings.declared([text, text])
    with suppress(Refusal):
        http_answers.part(headers, Span(0, 5), text)


# Rate limits.


@pytest.mark.parametrize(
    ("line", "waits"),
    [
        ("429 Too Many Requests", [1.0]),
        ("404 Not Found", [1.0]),
    ],
)
def test_no_request_goes_out_while_the_server_has_none_left(tmp_path, line, waits) -> None:
    told: list[Event] = []
    play = first(1, status(line, 'RateLimit: "api";r=0;t=1'))
    fetch_from(Server(play, JPEG), tmp_path, settings=FAST, tell=told.append)
    assert [event.seconds for event in told if isinstance(event, Held)] == waits


def test_a_rate_limit_of_a_good_answer_holds_the_next_one_no_longer_than_the_patience(
    tmp_path,
) -> None:
    play = first(1, body('RateLimit: "api";r=0;t=900', of=lambda file: file))
    sought = [Sought(str(number), extension="jpg") for number in (1, 2)]
    told: list[Event] = []
    impatient = Fetching(connections=1, patience=0.2)
    found = fetch_from(Server(play, JPEG), tmp_path, *sought, settings=impatient, tell=told.append)
    assert [one.reason for one in found] == [None, None]
    assert [event.seconds for event in told if isinstance(event, Held)][:1] == [0.2]


def test_retry_after_counts_before_the_rate_limit(tmp_path) -> None:
    told: list[Event] = []
    play = first(1, status("503 Busy", "Retry-After: 1", 'RateLimit: "api";r=0;t=3000'))
    fetch_from(Server(play, JPEG), tmp_path, settings=FAST, tell=told.append)
    assert [event.seconds for event in told if isinstance(event, Held)] == [1.0]
