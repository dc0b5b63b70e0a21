"""Plays: one right answer, and every wrong one that servers were seen to give."""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

from dafre_fast.testing.server import Exchange, Play, head

FEW_CONNECTIONS = 16
JPEG_HEAD = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
PAGE = b"<!DOCTYPE html>\n<html><body><h1>Under maintenance</h1></body></html>\n"
ETAG, OTHER_ETAG = '"2024"', '"2018"'
_PACE_SECONDS = 0.5


async def right(x: Exchange) -> None:
    """Send the whole file."""
    await x.send(head("200 OK", "Content-Type: image/jpeg", length=len(x.file)), x.file)


def status(line: str, *headers: str) -> Play:
    """Return a play that sends a status, which is the body too if the status allows one."""
    body = b"" if line[:3] in {"204", "304"} else line.encode()

    async def play(x: Exchange) -> None:
        await x.send(head(line, *headers, length=len(body)), body)

    return play


def first(times: int, bad: Play, then: Play = right) -> Play:
    """Return a play that is `bad` for the first `times` requests of a path, then `then`."""

    async def play(x: Exchange) -> None:
        await (bad if x.attempt <= times else then)(x)

    return play


# Bodies that break off, or go on too long.


async def reset(x: Exchange) -> None:
    await x.send(head("200 OK", length=len(x.file)), half(x.file))
    await x.reset()


async def short(x: Exchange) -> None:
    await x.send(head("200 OK", length=len(x.file)), half(x.file))
    await x.close()


async def short_with_etag(x: Exchange) -> None:
    await x.send(head("200 OK", f"ETag: {ETAG}", length=len(x.file)), half(x.file))
    await x.close()


async def unsized(x: Exchange) -> None:
    await x.send(head("200 OK", "Connection: close"), half(x.file))
    await x.close()


async def chunked(x: Exchange) -> None:
    part = half(x.file)
    chunk = b"%x\r\n%b\r\n" % (len(part), part)
    await x.send(head("200 OK", "Transfer-Encoding: chunked"), chunk, b"ffff\r\n", part[:100])
    await x.close()


async def understated(x: Exchange) -> None:
    part = half(x.file)
    await x.send(head("200 OK", length=len(part)), part)
    await asyncio.sleep(_PACE_SECONDS)
    await x.send(x.file[len(part) :])
    await x.close()


async def twice(x: Exchange) -> None:
    """Send the file, and at once a second answer, to no request and with another file."""
    other = flipped(x.file)
    length = len(x.file)
    x.writer.write(head("200 OK", length=length) + x.file + head("200 OK", length=length) + other)
    await x.writer.drain()


def half(file: bytes) -> bytes:
    return file[: len(file) // 2]


# Bodies that are not the file.


def body(*headers: str, of: Callable[[bytes], bytes]) -> Play:
    """Return a play that sends a sound answer with the body `of(file)`."""

    async def play(x: Exchange) -> None:
        sent = of(x.file)
        await x.send(head("200 OK", *headers, length=len(sent)), sent)

    return play


def flipped(file: bytes) -> bytes:
    """Return a file with one bit changed, a quarter of the way through it: among the pixels."""
    at = len(file) // 4
    return b"%b%c%b" % (file[:at], file[at] ^ 1, file[at + 1 :])


@cache
def bomb(megabytes: int) -> bytes:
    """Return gzip data that unpack to so many MB and begin like a JPEG; about 1 kB per MB."""
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    begin = deflate.compress(JPEG_HEAD) + deflate.flush(zlib.Z_FULL_FLUSH)
    # After a full flush, equal input is compressed to equal output.
    zeros = deflate.compress(bytes(1_000_000)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + begin + zeros * megabytes + deflate.flush()


def gzip_bomb(megabytes: int) -> Play:
    return body("Content-Encoding: gzip", of=lambda _: bomb(megabytes))


def endless(begin: bytes) -> Play:
    """Return a play that sends `begin` and then zeros for ever."""

    async def play(x: Exchange) -> None:
        await x.send(head("200 OK", "Connection: close"), begin)
        while True:
            await x.send(bytes(1 << 16))

    return play


# Redirects.


async def redirect_once(x: Exchange) -> None:
    if x.path.endswith("?moved"):
        await right(x)
    else:
        await redirect(f"{x.path}?moved")(x)


async def redirect_forever(x: Exchange) -> None:
    await redirect(f"{x.path}&again" if "?" in x.path else f"{x.path}?again")(x)


def redirect(location: str) -> Play:
    return status("302 Found", f"Location: {location}")


# Ranges.


def resumable(
    x: Exchange, etag: str = ETAG, *, heeds_if_range: bool = True, names_etag: bool = True
) -> Awaitable[None]:
    """Send a part of the file if the request asks for one of this very file (RFC 9110), else all.

    Without `heeds_if_range`, send a part even if it was asked of a file with another ETag. Without
    `names_etag`, send the part without an ETag.
    """
    start = x.range_start()
    if start is None or (heeds_if_range and x.headers.get("if-range") != etag):
        return x.send(head("200 OK", f"ETag: {etag}", length=len(x.file)), x.file)
    part = x.file[start:]
    span = f"Content-Range: bytes {start}-{len(x.file) - 1}/{len(x.file)}"
    headers = [span, f"ETag: {etag}"] if names_etag else [span]
    return x.send(head("206 Partial Content", *headers, length=len(part)), part)


def where_ranged(bad: Play) -> Play:
    """Return a play that breaks off once, and is `bad` for requests of a part from then on."""

    async def play(x: Exchange) -> None:
        if x.attempt == 1:
            await short_with_etag(x)
        else:
            await (right if x.range_start() is None else bad)(x)

    return play


async def other_range(x: Exchange) -> None:
    """Send the file from its start, whatever part is asked for."""
    span = f"Content-Range: bytes 0-{len(x.file) - 1}/{len(x.file)}"
    await x.send(head("206 Partial Content", span, f"ETag: {ETAG}", length=len(x.file)), x.file)


async def lying_range(x: Exchange) -> None:
    """Send bytes from the start of the file as the part that is asked for."""
    start = x.range_start() or 0
    part = x.file[: len(x.file) - start]
    span = f"Content-Range: bytes {start}-{len(x.file) - 1}/{len(x.file)}"
    await x.send(head("206 Partial Content", span, f"ETag: {ETAG}", length=len(part)), part)


async def of_another_file(x: Exchange) -> None:
    """Send half of another file of the same size, with another ETag."""
    await x.send(head("200 OK", f"ETag: {OTHER_ETAG}", length=len(x.file)), half(flipped(x.file)))
    await x.close()


# Servers that are slow, silent, or do not speak HTTP.


async def silent(x: Exchange) -> None:
    await x.until_the_client_goes()


async def drip_head(x: Exchange) -> None:
    await _drip(x, head("200 OK", length=len(x.file)))


async def drip_body(x: Exchange) -> None:
    await x.send(head("200 OK", length=len(x.file)))
    await _drip(x, x.file)


async def _drip(x: Exchange, data: bytes) -> None:
    for byte in data:
        await x.send(bytes([byte]))
        await asyncio.sleep(_PACE_SECONDS)


async def dawdle(x: Exchange) -> None:
    """Send 5 kB a second: fast enough for the stall limit, too slow for the time limit."""
    await x.send(head("200 OK", length=len(x.file)))
    for at in range(0, len(x.file), 1000):
        await x.send(x.file[at : at + 1000])
        await asyncio.sleep(0.2)


async def many_headers(x: Exchange) -> None:
    await x.send(b"HTTP/1.1 200 OK\r\n", b"X-Filler: 0123456789abcdef\r\n" * 150_000)
    await x.send(head("", length=len(x.file)).lstrip(), x.file)


async def long_header(x: Exchange) -> None:
    await x.send(head("200 OK", "X-Filler: " + "a" * 4_000_000, length=len(x.file)), x.file)


async def not_http(x: Exchange) -> None:
    await x.send(b"SSH-2.0-OpenSSH_9.6\r\n")
    await x.close()


async def busy_until(x: Exchange) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    await status("429 Too Many Requests", f"Retry-After: {when}")(x)


async def few_connections(x: Exchange) -> None:
    full = status("503 Service Unavailable")
    await (right if x.connections <= FEW_CONNECTIONS else full)(x)


async def right_then_gone(x: Exchange) -> None:
    """Send the file and close the connection, though the answer says that it is kept."""
    await right(x)
    await x.close()


busy = status("429 Too Many Requests", "Retry-After: 1")
broken_gzip = body("Content-Encoding: gzip", of=lambda file: half(gzip.compress(file)))
