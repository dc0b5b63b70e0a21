"""What an answer of HTTP says besides its body: pure functions of status, headers and first bytes.

RFC 9110 unless another source is named. Headers are what servers write, not what they should.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources import inflate
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import HostFailed, Passing

Headers = Mapping[str, str]
"""Names count in any case."""

REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}
_CHALLENGING = {
    HTTPStatus.OK,
    HTTPStatus.ACCEPTED,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
}
_CHALLENGES = (
    b"<title>just a moment...</title>",
    b"_cf_chl_opt",
    b"cf-chl-",
    b"checking your browser before accessing",
    b"<title>ddos-guard</title>",
    b"making sure you&#39;re not a bot!",
    b"g-recaptcha",
    b"h-captcha",
)
"""What stands in the pages with which Cloudflare, DDoS-Guard, Anubis and captchas answer robots."""
_LONGEST_TAG = 200
_ROBOT = re.compile(r"[\w.*-]+")
_DIRECTIVES_WITH_A_VALUE = {
    "unavailable_after",
    "max-snippet",
    "max-image-preview",
    "max-video-preview",
}


class Refused(NamedTuple):
    """Which refusal the status of an answer means."""

    kind: type[Refusal]
    """HostFailed if the host is busy or broken, Passing if another attempt may succeed."""
    reason: Reason


_BUSY = Refused(HostFailed, Reason.SERVER_ERROR)
_GONE = Refused(Refusal, Reason.NOT_FOUND)
_FORBIDDEN = Refused(Refusal, Reason.FORBIDDEN)
_BY_STATUS: dict[int, Refused] = {
    HTTPStatus.UNAUTHORIZED: _FORBIDDEN,
    HTTPStatus.FORBIDDEN: _FORBIDDEN,
    HTTPStatus.NOT_FOUND: _GONE,
    HTTPStatus.REQUEST_TIMEOUT: _BUSY,
    HTTPStatus.GONE: _GONE,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: Refused(Passing, Reason.HTTP_ERROR),
    HTTPStatus.TOO_EARLY: _BUSY,
    HTTPStatus.TOO_MANY_REQUESTS: _BUSY,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: _FORBIDDEN,
}
_OTHER = Refused(Refusal, Reason.HTTP_ERROR)


def refused(status: int) -> Refused | None:
    """Return which refusal a status means; None for 200, 206 and redirects."""
    if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT} or status in REDIRECTS:
        return None
    return _BUSY if status >= 500 else _BY_STATUS.get(status, _OTHER)


def retry_after(headers: Headers, now: datetime) -> float | None:
    """Seconds (10.2.3): a number of them, or a date."""
    said = headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        date = parsedate_to_datetime(said)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - now).total_seconds(), 0.0)


def opted_out(values: Sequence[str]) -> str | None:
    """The directive of X-Robots-Tag that asks not to be used for training, if there is one.

    A directive may name a robot (`name: noai`), and so those after it up to the next that does;
    what is addressed to another robot does not count.
    """
    for value in values:
        robot = "*"
        for directive in value.lower().split(","):
            name, colon, rest = (part.strip() for part in directive.partition(":"))
            said = rest if colon else name
            if colon and name not in _DIRECTIVES_WITH_A_VALUE and _ROBOT.fullmatch(name):
                robot = name
            if said in {"noai", "noimageai"} and robot in {"*", "dafre_fast"}:
                return said
    return None


def challenges(status: int, headers: Headers, page: bytes) -> bool:
    """Whether a server asks if a person is there: by the header that Cloudflare sets for this, or
    by what stands at the beginning of a page. A missing file's page may hold a captcha, too.
    """
    if headers.get("cf-mitigated") == "challenge":
        return True
    text = page.lower()
    return status in _CHALLENGING and any(mark in text for mark in _CHALLENGES)


class Part(NamedTuple):
    """Of an object: where it begins, and the bytes of the whole, if told."""

    start: int
    total: int | None


def part(headers: Headers, span: Span, etag: str | None) -> Part:
    """Of a 206 (14.4, 15.3.7). Raises Passing where it is not what was asked for."""
    said = headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", said, re.ASCII)
    if match is None:
        raise Passing(Reason.HTTP_ERROR, f"Content-Range {said!r}")
    start, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    fits = start == span.start and (span.stop is None or last < span.stop)
    if not fits or last < start or (total is not None and last >= total):
        raise Passing(Reason.HTTP_ERROR, f"Content-Range {said!r} instead of {span.start}-")
    if etag and headers.get("ETag") != etag:
        # If-Range was not heeded: what comes is of another file, or of nobody knows which.
        raise Passing(Reason.HTTP_ERROR, f"a part of {headers.get('ETag')} instead of {etag}")
    if decoder(headers) is not None:
        raise Passing(Reason.HTTP_ERROR, "a part of compressed data")
    return Part(start, total)


def plain(value: str | None) -> str | None:
    """The value of a header, if it is short and of ASCII: it goes into the ledger."""
    good = value and len(value) <= _LONGEST_TAG and value.isascii() and value.isprintable()
    return value if good else None


def strong(etag: str | None) -> bool:
    """Whether it stands for these very bytes (8.8.3)."""
    return etag is not None and re.fullmatch(r'"[!#-~]*"', etag) is not None


def decoder(headers: Headers) -> Any:
    """Of a content coding that was not asked for (8.4.1), None for none; raises Refusal for one
    that is not known.
    """
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding in {"gzip", "x-gzip", "deflate"}:
        return zlib.decompressobj(wbits=47)  # zlib or gzip, as its header tells
    detail = f"Content-Encoding {coding}, though identity was asked for"
    raise Refusal(Reason.HTTP_ERROR, detail)


def inflated(decoder: Any, data: bytes) -> Iterator[bytes]:
    """In pieces of bounded size. Raises Passing for what is damaged."""
    try:
        yield from inflate.inflated(decoder, data)
    except zlib.error as error:
        raise Passing(Reason.NETWORK_ERROR, str(error)) from error
    if decoder.unused_data:
        raise Passing(Reason.NETWORK_ERROR, "bytes behind the end of compressed data")
