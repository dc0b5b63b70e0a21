"""A server that does what servers do at their worst: raw sockets, in a process of its own.

Each fault is served on a port of its own, so that what one does to its host touches no other.
"""

import asyncio
import gzip
import signal
import socket
import ssl
import struct
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache, partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from msgspec import Struct

MANY_FILES, FEW_CONNECTIONS = 200, 16
_PACE_SECONDS = 0.5
_ARRIVES_SECONDS = 0.05
"""So long after a part of a body it is at the client, who would not see it beside a reset."""
_ETAG, _OTHER_ETAG = '"2024"', '"2018"'
_PAGE = b"<!DOCTYPE html>\n<html><body><h1>Under maintenance</h1></body></html>\n"
_JPEG_HEAD = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"


class Exchange(Struct, frozen=True):
    """One request, and the connection on which it is answered."""

    attempt: int
    """Counted from 1 for each path."""
    connections: int
    """Accepted so far for this fault."""
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    file: bytes
    """What a server without fault would send."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def close(self) -> None:
        await asyncio.sleep(_ARRIVES_SECONDS)
        self.writer.close()

    async def reset(self) -> None:
        """RST instead of FIN."""
        await asyncio.sleep(_ARRIVES_SECONDS)
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def until_the_client_goes(self) -> None:
        await self.reader.read()
        self.writer.close()

    def range_start(self) -> int | None:
        """Of the Range that is asked for."""
        said = self.headers.get("range", "").removeprefix("bytes=").partition("-")[0]
        return int(said) if said else None


Play = Callable[[Exchange], Awaitable[None]]


class Fault(Struct, frozen=True):
    """One thing that goes wrong; recoverable where who tries again ends with the file."""

    name: str
    does: str
    """One sentence."""
    recoverable: bool
    play: Play | None = None
    """Answers one request; the connection is kept unless it closes it. None: nobody listens."""
    png: bool = False
    """The file is a PNG, not a JPEG."""
    tls: bool = False
    host: str = "127.0.0.1"
    files: int = 1


def head(status: str, *headers: str, length: int | None = None) -> bytes:
    """The beginning of an answer, up to its body."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


async def right(x: Exchange) -> None:
    await x.send(head("200 OK", "Content-Type: image/jpeg", length=len(x.file)), x.file)


def status(line: str, *headers: str) -> Play:
    """An answer whose body, where it may have one, is its status."""
    body = b"" if line[:3] in {"204", "304"} else line.encode()

    async def play(x: Exchange) -> None:
        await x.send(head(line, *headers, length=len(body)), body)

    return play


def first(times: int, bad: Play, then: Play = right) -> Play:
    """Bad for the first attempts, good afterwards."""

    async def play(x: Exchange) -> None:
        await (bad if x.attempt <= times else then)(x)

    return play


# Bodies that do not come to their end.


async def _reset(x: Exchange) -> None:
    await x.send(head("200 OK", length=len(x.file)), _half(x.file))
    await x.reset()


async def _short(x: Exchange) -> None:
    await x.send(head("200 OK", length=len(x.file)), _half(x.file))
    await x.close()


async def _short_with_etag(x: Exchange) -> None:
    await x.send(head("200 OK", f"ETag: {_ETAG}", length=len(x.file)), _half(x.file))
    await x.close()


async def _unsized(x: Exchange) -> None:
    await x.send(head("200 OK", "Connection: close"), _half(x.file))
    await x.close()


async def _chunked(x: Exchange) -> None:
    half = _half(x.file)
    chunk = b"%x\r\n%b\r\n" % (len(half), half)
    await x.send(head("200 OK", "Transfer-Encoding: chunked"), chunk, b"ffff\r\n", half[:100])
    await x.close()


async def _understated(x: Exchange) -> None:
    half = _half(x.file)
    await x.send(head("200 OK", length=len(half)), half)
    await asyncio.sleep(_PACE_SECONDS)
    await x.send(x.file[len(half) :])
    await x.close()


async def _twice(x: Exchange) -> None:
    """The second answer is to nothing, and of another file."""
    other = _flipped(x.file)
    length = len(x.file)
    x.writer.write(head("200 OK", length=length) + x.file + head("200 OK", length=length) + other)
    await x.writer.drain()


def _half(file: bytes) -> bytes:
    return file[: len(file) // 2]


# Bodies that are not the file.


def body(*headers: str, of: Callable[[bytes], bytes]) -> Play:
    """An answer that is sound but for its body."""

    async def play(x: Exchange) -> None:
        sent = of(x.file)
        await x.send(head("200 OK", *headers, length=len(sent)), sent)

    return play


def _flipped(file: bytes) -> bytes:
    """The same but for one bit, a quarter of the way: among the pixels."""
    at = len(file) // 4
    return b"%b%c%b" % (file[:at], file[at] ^ 1, file[at + 1 :])


@cache
def bomb(megabytes: int) -> bytes:
    """Gzip data of this many MB that begin as a JPEG does; about a thousandth of their size."""
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    begin = deflate.compress(_JPEG_HEAD) + deflate.flush(zlib.Z_FULL_FLUSH)
    # After a full flush, the same bytes in deflate to the same bytes.
    zeros = deflate.compress(bytes(1_000_000)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + begin + zeros * megabytes + deflate.flush()


def gzip_bomb(megabytes: int) -> Play:
    return body("Content-Encoding: gzip", of=lambda _: bomb(megabytes))


def endless(begin: bytes) -> Play:
    async def play(x: Exchange) -> None:
        await x.send(head("200 OK", "Connection: close"), begin)
        while True:
            await x.send(bytes(1 << 16))

    return play


# Redirects.


async def _redirect_once(x: Exchange) -> None:
    if x.path.endswith("?moved"):
        await right(x)
    else:
        await redirect(f"{x.path}?moved")(x)


async def _redirect_forever(x: Exchange) -> None:
    await redirect(f"{x.path}&again" if "?" in x.path else f"{x.path}?again")(x)


def redirect(location: str) -> Play:
    return status("302 Found", f"Location: {location}")


# Ranges.


def resumable(
    x: Exchange, etag: str = _ETAG, *, heeds_if_range: bool = True, names_etag: bool = True
) -> Awaitable[None]:
    """As RFC 9110 has it: a part only if asked for one of this very file."""
    start = x.range_start()
    if start is None or (heeds_if_range and x.headers.get("if-range") != etag):
        return x.send(head("200 OK", f"ETag: {etag}", length=len(x.file)), x.file)
    part = x.file[start:]
    span = f"Content-Range: bytes {start}-{len(x.file) - 1}/{len(x.file)}"
    headers = [span, f"ETag: {etag}"] if names_etag else [span]
    return x.send(head("206 Partial Content", *headers, length=len(part)), part)


def where_ranged(bad: Play) -> Play:
    """Breaks off once; from then on `bad` where a part is asked for, and right otherwise."""

    async def play(x: Exchange) -> None:
        if x.attempt == 1:
            await _short_with_etag(x)
        else:
            await (right if x.range_start() is None else bad)(x)

    return play


async def _other_range(x: Exchange) -> None:
    span = f"Content-Range: bytes 0-{len(x.file) - 1}/{len(x.file)}"
    await x.send(head("206 Partial Content", span, f"ETag: {_ETAG}", length=len(x.file)), x.file)


async def _lying_range(x: Exchange) -> None:
    start = x.range_start() or 0
    part = x.file[: len(x.file) - start]
    span = f"Content-Range: bytes {start}-{len(x.file) - 1}/{len(x.file)}"
    await x.send(head("206 Partial Content", span, f"ETag: {_ETAG}", length=len(part)), part)


async def _of_another_file(x: Exchange) -> None:
    """Half of what the file was before: another of the same size."""
    await x.send(
        head("200 OK", f"ETag: {_OTHER_ETAG}", length=len(x.file)), _half(_flipped(x.file))
    )
    await x.close()


# Servers that are slow, silent, or speak of something else.


async def _silent(x: Exchange) -> None:
    await x.until_the_client_goes()


async def _drip_head(x: Exchange) -> None:
    await _drip(x, head("200 OK", length=len(x.file)))


async def _drip_body(x: Exchange) -> None:
    await x.send(head("200 OK", length=len(x.file)))
    await _drip(x, x.file)


async def _drip(x: Exchange, data: bytes) -> None:
    for byte in data:
        await x.send(bytes([byte]))
        await asyncio.sleep(_PACE_SECONDS)


async def _dawdle(x: Exchange) -> None:
    """Fast enough for every moment, too slow for the whole."""
    await x.send(head("200 OK", length=len(x.file)))
    for at in range(0, len(x.file), 1000):
        await x.send(x.file[at : at + 1000])
        await asyncio.sleep(0.2)


async def _many_headers(x: Exchange) -> None:
    await x.send(b"HTTP/1.1 200 OK\r\n", b"X-Filler: 0123456789abcdef\r\n" * 150_000)
    await x.send(head("", length=len(x.file)).lstrip(), x.file)


async def _long_header(x: Exchange) -> None:
    await x.send(head("200 OK", "X-Filler: " + "a" * 4_000_000, length=len(x.file)), x.file)


async def _not_http(x: Exchange) -> None:
    await x.send(b"SSH-2.0-OpenSSH_9.6\r\n")
    await x.close()


async def _busy_until(x: Exchange) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    await status("429 Too Many Requests", f"Retry-After: {when}")(x)


async def _few_connections(x: Exchange) -> None:
    busy = status("503 Service Unavailable")
    await (right if x.connections <= FEW_CONNECTIONS else busy)(x)


async def _right_then_gone(x: Exchange) -> None:
    """The connection seems to be kept."""
    await right(x)
    await x.close()


_busy = status("429 Too Many Requests", "Retry-After: 1")
_broken_gzip = body("Content-Encoding: gzip", of=lambda file: _half(gzip.compress(file)))

FAULTS = (
    Fault("reset-once", "Resets the connection in the middle, once.", True, first(1, _reset)),
    Fault("reset-always", "Resets the connection in the middle, always.", False, _reset),
    Fault("short-once", "Closes before Content-Length, once.", True, first(1, _short)),
    Fault("short-twice", "Closes before Content-Length, twice.", True, first(2, _short)),
    Fault("short-always", "Closes before Content-Length, always.", False, _short),
    Fault(
        "short-and-continued",
        "Closes before Content-Length, and goes on there if asked.",
        True,
        where_ranged(resumable),
    ),
    Fault("unsized-once", "Breaks off without a length, once.", True, first(1, _unsized)),
    Fault("unsized-always", "Breaks off without a length, always.", False, _unsized),
    Fault("unsized-png", "Breaks off without a length, always: a PNG.", False, _unsized, png=True),
    Fault("chunked-once", "Breaks off between chunks, once.", True, first(1, _chunked)),
    Fault("chunked-always", "Breaks off between chunks, always.", False, _chunked),
    Fault("understated", "Sends more than its Content-Length says, always.", False, _understated),
    Fault(
        "understated-once",
        "Sends more than its Content-Length says, once.",
        True,
        first(1, _understated),
    ),
    Fault("error-500-once", "Status 500, once.", True, first(1, status("500 Oh"))),
    Fault("error-500", "Status 500, always.", False, status("500 Oh")),
    Fault("error-502", "Status 502, twice.", True, first(2, status("502 Bad Gateway"))),
    Fault("error-503", "Status 503, always.", False, status("503 Service Unavailable")),
    Fault("busy-seconds", "Status 429, Retry-After in seconds, once.", True, first(1, _busy)),
    Fault("busy-date", "Status 429, Retry-After as a date, once.", True, first(1, _busy_until)),
    Fault(
        "busy-all-day",
        "Status 503, Retry-After a day.",
        False,
        status("503 Service Unavailable", "Retry-After: 86400"),
    ),
    Fault("not-found", "Status 404.", False, status("404 Not Found")),
    Fault("gone", "Status 410.", False, status("410 Gone")),
    Fault("forbidden-by-law", "Status 451.", False, status("451 Unavailable For Legal Reasons")),
    Fault("no-content", "Status 204.", False, status("204 No Content")),
    Fault("not-modified", "Status 304, unasked.", False, status("304 Not Modified")),
    Fault(
        "unasked-part",
        "Status 206 where no range was asked for.",
        False,
        status("206 Partial Content", "Content-Range: bytes 0-18/19"),
    ),
    Fault(
        "page", "HTML with status 200.", False, body("Content-Type: text/html", of=lambda _: _PAGE)
    ),
    Fault(
        "page-as-jpeg",
        "HTML with status 200 as image/jpeg.",
        False,
        body("Content-Type: image/jpeg", of=lambda _: _PAGE),
    ),
    Fault(
        "page-with-etag",
        "HTML that could be gone on with, once.",
        True,
        first(1, body("Content-Type: image/jpeg", f"ETag: {_ETAG}", of=lambda _: _PAGE), resumable),
    ),
    Fault("empty", "An empty body.", False, body(of=lambda _: b"")),
    Fault("empty-once", "An empty body, once.", True, first(1, body(of=lambda _: b""))),
    Fault(
        "gzip",
        "Compresses what was asked for as it is.",
        True,
        body("Content-Encoding: gzip", of=gzip.compress),
    ),
    Fault("gzip-cut", "Compressed data that break off.", False, _broken_gzip),
    Fault("gzip-bomb", "50 kB of gzip that become 50 MB.", False, gzip_bomb(50)),
    Fault("brotli", "A coding nobody asked for.", False, body("Content-Encoding: br", of=_half)),
    Fault("redirect", "Redirects to a place on the same host.", True, _redirect_once),
    Fault("redirect-loop", "Redirects for ever.", False, _redirect_forever),
    Fault("redirect-private", "Redirects to 10.0.0.1.", False, redirect("http://10.0.0.1/7.jpg")),
    Fault("redirect-file", "Redirects to file:.", False, redirect("file:///etc/hostname")),
    Fault("redirect-nowhere", "Redirects without a Location.", False, status("302 Found")),
    Fault("redirect-garbage", "Redirects to no address.", False, redirect("http://a..b:99999/")),
    Fault("redirect-name", "Redirects to no name.", False, redirect(f"http://{'a' * 64}.b/")),
    Fault(
        "range-ignored",
        "Breaks off, then sends all where a part is asked for.",
        True,
        where_ranged(right),
    ),
    Fault("range-wrong", "Breaks off, then sends another part.", True, where_ranged(_other_range)),
    Fault(
        "range-lying",
        "Breaks off, then lies in Content-Range.",
        True,
        where_ranged(_lying_range),
    ),
    Fault(
        "range-refused",
        "Breaks off, then status 416.",
        True,
        where_ranged(status("416 Range Not Satisfiable")),
    ),
    Fault(
        "changed",
        "Breaks off, and the file changes.",
        True,
        first(1, _of_another_file, resumable),
    ),
    Fault(
        "changed-unheeded",
        "Breaks off, the file changes, If-Range is not heeded.",
        True,
        first(1, _of_another_file, partial(resumable, heeds_if_range=False)),
    ),
    Fault(
        "changed-unnamed",
        "The same, and the part does not say of which file.",
        True,
        first(1, _of_another_file, partial(resumable, heeds_if_range=False, names_etag=False)),
    ),
    Fault("flipped-once", "One bit is another, once.", True, first(1, body(of=_flipped))),
    Fault("flipped", "One bit is another, always.", False, body(of=_flipped)),
    Fault("flipped-png", "One bit is another, always: a PNG.", False, body(of=_flipped), png=True),
    Fault(
        "flipped-png-once",
        "One bit is another, once: a PNG.",
        True,
        first(1, body(of=_flipped)),
        png=True,
    ),
    Fault("headers-many", "4 MB of headers.", False, _many_headers),
    Fault("header-long", "4 MB in one header.", False, _long_header),
    Fault("endless", "An endless body that begins as a JPEG does.", False, endless(_JPEG_HEAD)),
    Fault("endless-zeros", "An endless body of zeros.", False, endless(b"")),
    Fault("silent", "Accepts and says nothing.", False, _silent),
    Fault("silent-once", "Accepts and says nothing, once.", True, first(1, _silent)),
    Fault("slow-headers", "Headers a byte every half second.", False, _drip_head),
    Fault("slow-body", "A body a byte every half second.", False, _drip_body),
    Fault("dawdling", "A body of 5 kB a second.", False, _dawdle),
    Fault("not-http", "Speaks SSH.", False, _not_http),
    Fault("self-signed", "A certificate that nobody vouches for.", False, right, tls=True),
    Fault("no-such-name", "A host without an address.", False, host="faults.invalid"),
    Fault("nobody", "A port on which nobody listens.", False),
    Fault(
        "many",
        f"{MANY_FILES} files, and status 503 on all but {FEW_CONNECTIONS} connections.",
        True,
        _few_connections,
        files=MANY_FILES,
    ),
    Fault(
        "answered-twice",
        "Sends another file behind each that was asked for.",
        True,
        _twice,
        files=20,
    ),
    Fault("gone-between", "Closes kept connections.", True, _right_then_gone, files=20),
)


class Server:
    """Answers every request by one play, and knows what it was asked."""

    def __init__(self, play: Play, file: bytes = b"") -> None:
        self._play, self._file = play, file
        self._attempts = Counter[str]()
        self._talks = set[asyncio.Task[None]]()
        self.connections = 0
        self.requests: list[Exchange] = []

    @asynccontextmanager
    async def on(self, host: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Serve on a free port of an address; gives the port."""
        server = await asyncio.start_server(self._begin, host, 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for talk in self._talks:
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        talk = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that goes is no fault of this side.
        with suppress(ConnectionError, asyncio.IncompleteReadError), closing(writer):
            while not writer.is_closing():
                request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                path = request[0].split(" ")[1]
                named = (line.partition(": ") for line in request[1:] if line)
                headers = {name.lower(): value for name, _, value in named}
                self._attempts[path] += 1
                attempt, connections = self._attempts[path], self.connections
                self.requests.append(
                    Exchange(attempt, connections, path, headers, self._file, reader, writer)
                )
                await self._play(self.requests[-1])


@contextmanager
def serving_faults(jpeg: bytes, png: bytes, certificate: Path) -> Iterator[dict[str, str]]:
    """Serve every fault on loopback; gives a URL template for the name of each.

    `jpeg` and `png` are what is to be had, 10 kB at least; `certificate` is a PEM file of a key and
    its certificate that nobody trusts.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    arguments = (jpeg, png, certificate, theirs)
    server = context.Process(target=_serve, args=arguments, daemon=True)
    server.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


def _serve(jpeg: bytes, png: bytes, certificate: Path, started: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to answer; it ends us
    asyncio.run(_serve_forever(jpeg, png, certificate, started))


async def _serve_forever(jpeg: bytes, png: bytes, certificate: Path, started: Connection) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    templates = {}
    async with AsyncExitStack() as stack:
        for fault in FAULTS:
            if fault.play:
                server = Server(fault.play, png if fault.png else jpeg)
                serving = server.on("127.0.0.1", tls if fault.tls else None)
                port = await stack.enter_async_context(serving)
            else:
                port = stack.enter_context(_a_port_without_a_listener())
            scheme = "https" if fault.tls else "http"
            templates[fault.name] = f"{scheme}://{fault.host}:{port}/{{id}}.{{ext}}"
        started.send(templates)
        started.close()
        await asyncio.Event().wait()


@contextmanager
def _a_port_without_a_listener() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
