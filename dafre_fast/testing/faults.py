"""The table of faults: what a server of originals can do wrong, and the play that shows it."""

import gzip
from functools import partial

from msgspec import Struct

from dafre_fast.testing.plays import (
    ETAG,
    FEW_CONNECTIONS,
    JPEG_HEAD,
    PAGE,
    body,
    broken_gzip,
    busy,
    busy_until,
    chunked,
    dawdle,
    drip_body,
    drip_head,
    endless,
    few_connections,
    first,
    flipped,
    gzip_bomb,
    half,
    long_header,
    lying_range,
    many_headers,
    not_http,
    of_another_file,
    other_range,
    redirect,
    redirect_forever,
    redirect_once,
    reset,
    resumable,
    right,
    right_then_gone,
    short,
    silent,
    status,
    twice,
    understated,
    unsized,
    where_ranged,
)
from dafre_fast.testing.server import Play

MANY_FILES = 200


class Fault(Struct, frozen=True):
    """One thing that goes wrong."""

    name: str
    does: str
    """One sentence: what the server does."""
    recoverable: bool
    """True if a client that tries again gets the file."""
    play: Play | None = None
    """The play that answers requests; None if nobody listens on the port."""
    png: bool = False
    """True if the file is a PNG, not a JPEG."""
    tls: bool = False
    host: str = "127.0.0.1"
    files: int = 1
    """Number of files asked for at once."""


FAULTS = (
    Fault("reset-once", "Resets the connection in the middle, once.", True, first(1, reset)),
    Fault("reset-always", "Resets the connection in the middle, always.", False, reset),
    Fault("short-once", "Closes before Content-Length, once.", True, first(1, short)),
    Fault("short-twice", "Closes before Content-Length, twice.", True, first(2, short)),
    Fault("short-always", "Closes before Content-Length, always.", False, short),
    Fault(
        "short-and-continued",
        "Closes before Content-Length, and resumes if asked.",
        True,
        where_ranged(resumable),
    ),
    Fault("unsized-once", "Breaks off without a length, once.", True, first(1, unsized)),
    Fault("unsized-always", "Breaks off without a length, always.", False, unsized),
    Fault("unsized-png", "Breaks off without a length, always: a PNG.", False, unsized, png=True),
    Fault("chunked-once", "Breaks off between chunks, once.", True, first(1, chunked)),
    Fault("chunked-always", "Breaks off between chunks, always.", False, chunked),
    Fault("understated", "Sends more than its Content-Length says, always.", False, understated),
    Fault(
        "understated-once",
        "Sends more than its Content-Length says, once.",
        True,
        first(1, understated),
    ),
    Fault("error-500-once", "Status 500, once.", True, first(1, status("500 Oh"))),
    Fault("error-500", "Status 500, always.", False, status("500 Oh")),
    Fault("error-502", "Status 502, twice.", True, first(2, status("502 Bad Gateway"))),
    Fault("error-503", "Status 503, always.", False, status("503 Service Unavailable")),
    Fault("busy-seconds", "Status 429, Retry-After in seconds, once.", True, first(1, busy)),
    Fault("busy-date", "Status 429, Retry-After as a date, once.", True, first(1, busy_until)),
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
        "page", "HTML with status 200.", False, body("Content-Type: text/html", of=lambda _: PAGE)
    ),
    Fault(
        "page-as-jpeg",
        "HTML with status 200 as image/jpeg.",
        False,
        body("Content-Type: image/jpeg", of=lambda _: PAGE),
    ),
    Fault(
        "page-with-etag",
        "HTML with a strong ETag, once.",
        True,
        first(1, body("Content-Type: image/jpeg", f"ETag: {ETAG}", of=lambda _: PAGE), resumable),
    ),
    Fault("empty", "An empty body.", False, body(of=lambda _: b"")),
    Fault("empty-once", "An empty body, once.", True, first(1, body(of=lambda _: b""))),
    Fault(
        "gzip",
        "Compresses a file that was asked for uncompressed.",
        True,
        body("Content-Encoding: gzip", of=gzip.compress),
    ),
    Fault("gzip-cut", "Compressed data that break off.", False, broken_gzip),
    Fault("gzip-bomb", "50 kB of gzip that unpack to 50 MB.", False, gzip_bomb(50)),
    Fault("brotli", "An unasked content coding.", False, body("Content-Encoding: br", of=half)),
    Fault("redirect", "Redirects to a path on the same host.", True, redirect_once),
    Fault("redirect-loop", "Redirects for ever.", False, redirect_forever),
    Fault("redirect-private", "Redirects to 10.0.0.1.", False, redirect("http://10.0.0.1/7.jpg")),
    Fault("redirect-file", "Redirects to file:.", False, redirect("file:///etc/hostname")),
    Fault("redirect-nowhere", "Redirects without a Location.", False, status("302 Found")),
    Fault("redirect-garbage", "Redirects to no valid URL.", False, redirect("http://a..b:99999/")),
    Fault("redirect-name", "Redirects to no valid name.", False, redirect(f"http://{'a' * 64}.b/")),
    Fault(
        "range-ignored",
        "Breaks off, then sends all though a part is asked for.",
        True,
        where_ranged(right),
    ),
    Fault("range-wrong", "Breaks off, then sends another part.", True, where_ranged(other_range)),
    Fault(
        "range-lying",
        "Breaks off, then sends a false Content-Range.",
        True,
        where_ranged(lying_range),
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
        first(1, of_another_file, resumable),
    ),
    Fault(
        "changed-unheeded",
        "Breaks off, the file changes, If-Range is ignored.",
        True,
        first(1, of_another_file, partial(resumable, heeds_if_range=False)),
    ),
    Fault(
        "changed-unnamed",
        "The same, and the part comes without an ETag.",
        True,
        first(1, of_another_file, partial(resumable, heeds_if_range=False, names_etag=False)),
    ),
    Fault("flipped-once", "One bit is wrong, once.", True, first(1, body(of=flipped))),
    Fault("flipped", "One bit is wrong, always.", False, body(of=flipped)),
    Fault("flipped-png", "One bit is wrong, always: a PNG.", False, body(of=flipped), png=True),
    Fault(
        "flipped-png-once",
        "One bit is wrong, once: a PNG.",
        True,
        first(1, body(of=flipped)),
        png=True,
    ),
    Fault("headers-many", "4 MB of headers.", False, many_headers),
    Fault("header-long", "4 MB in one header.", False, long_header),
    Fault("endless", "An endless body that begins like a JPEG.", False, endless(JPEG_HEAD)),
    Fault("endless-zeros", "An endless body of zeros.", False, endless(b"")),
    Fault("silent", "Accepts and sends nothing.", False, silent),
    Fault("silent-once", "Accepts and sends nothing, once.", True, first(1, silent)),
    Fault("slow-headers", "Headers, one byte every half second.", False, drip_head),
    Fault("slow-body", "A body, one byte every half second.", False, drip_body),
    Fault("dawdling", "A body of 5 kB a second.", False, dawdle),
    Fault("not-http", "Speaks SSH.", False, not_http),
    Fault("self-signed", "A certificate that no authority signed.", False, right, tls=True),
    Fault("no-such-name", "A host without an address.", False, host="faults.invalid"),
    Fault("nobody", "A port on which nobody listens.", False),
    Fault(
        "many",
        f"{MANY_FILES} files, and status 503 on all but {FEW_CONNECTIONS} connections.",
        True,
        few_connections,
        files=MANY_FILES,
    ),
    Fault(
        "answered-twice",
        "Sends another file after each that was asked for.",
        True,
        twice,
        files=20,
    ),
    Fault("gone-between", "Closes kept connections.", True, right_then_gone, files=20),
)
