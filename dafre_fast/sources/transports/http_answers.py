"""HTTP answers: pure functions of status, headers and first bytes.

By RFC 9110 unless another source is named. Servers may write anything into headers.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import chain
from typing import NamedTuple

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import HostFailed, Passing
from dafre_fast.sources.transports import codings

Headers = Mapping[str, str]
"""The case of names does not matter."""

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
"""Marks of the pages with which Cloudflare, DDoS-Guard, Anubis and captchas answer robots."""
_PAGES = {"text/html", "application/xhtml+xml"}
_LONGEST_TAG = 200
_LONGEST_WAIT_SECONDS = 366 * 86_400
_ROBOT = re.compile(r"[\w.*-]+")
_DIRECTIVES_WITH_A_VALUE = {
    "unavailable_after",
    "max-snippet",
    "max-image-preview",
    "max-video-preview",
}


class Refused(NamedTuple):
    """The refusal that the status of an answer means."""

    kind: type[Refusal]
    """HostFailed if the host is busy or broken, Passing if another attempt may succeed."""
    reason: Reason


_BUSY = Refused(HostFailed, Reason.SERVER_ERROR)
_GONE = Refused(Refusal, Reason.NOT_FOUND)
_FORBIDDEN = Refused(Refusal, Reason.FORBIDDEN)
_UNAUTHORIZED = Refused(Refusal, Reason.UNAUTHORIZED)
_BY_STATUS: dict[int, Refused] = {
    HTTPStatus.UNAUTHORIZED: _UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: _FORBIDDEN,
    HTTPStatus.NOT_FOUND: _GONE,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: _UNAUTHORIZED,
    HTTPStatus.REQUEST_TIMEOUT: _BUSY,
    HTTPStatus.GONE: _GONE,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: Refused(Passing, Reason.HTTP_ERROR),
    HTTPStatus.TOO_EARLY: _BUSY,
    HTTPStatus.TOO_MANY_REQUESTS: _BUSY,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: _FORBIDDEN,
}
_OTHER = Refused(Refusal, Reason.HTTP_ERROR)
_OF_THE_SET = {"GatedRepo", "DisabledRepo"}
"""Values of X-Error-Code by which the Hugging Face hub denies access to a whole data set."""


def refused(status: int, error_code: str | None = None) -> Refused | None:
    """Return which refusal a status means; None for 200, 206 and redirects. `error_code` is the
    header X-Error-Code.
    """
    if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT} or status in REDIRECTS:
        return None
    if error_code in _OF_THE_SET:
        return _UNAUTHORIZED
    return _BUSY if status >= 500 else _BY_STATUS.get(status, _OTHER)


def detail(status: int, headers: Headers, login: str) -> str:
    """Return the detail of a refused answer: its status and, where it wants a login, what the
    server says of it and what to do. `login` is how the user gives one.
    """
    meaning = refused(status, headers.get("X-Error-Code"))
    if meaning is None or meaning.reason is not Reason.UNAUTHORIZED:
        return f"status {status}"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return (
            "status 407: the proxy wants a login; put USER:PASSWORD@ before its host in http_proxy"
        )
    said = plain(headers.get("X-Error-Message")) or "the server wants a login"
    return f"status {status}: {said}; {login}"


def retry_after(headers: Headers, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for (10.2.3), None if there is none that
    can be meant. It may be a number or a date.
    """
    said = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,18}", said, re.ASCII):
        return _meant(float(said))
    try:
        date = parsedate_to_datetime(said)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return _meant(max((date - now).total_seconds(), 0.0))


def rate_limit(headers: Headers) -> float | None:
    """Return the seconds until a server takes requests again whose RateLimit header says that none
    are left, None if some are left or nothing is said.

    The header is a list such as `"api";r=0;t=55` (draft-ietf-httpapi-ratelimit-headers-09).
    """
    if "RateLimit" not in headers:
        return None
    waits = []
    for item in headers["RateLimit"].split(","):
        said = dict(re.findall(r";\s?([rt])=(\d{1,18})(?![\w.])", item, re.ASCII))
        if "t" in said and int(said.get("r", 1)) == 0:
            waits.append(float(said["t"]))
    return _meant(max(waits, default=0.0)) or None


def _meant(seconds: float) -> float | None:
    """Return a time to wait, None for one that nobody can mean."""
    return seconds if seconds <= _LONGEST_WAIT_SECONDS else None


def next_page(values: Iterable[str]) -> str | None:
    """Return the reference to the next page in the values of Link headers, as it stands there
    (RFC 8288, 3), None for none.
    """
    for link in chain.from_iterable(re.split(r",(?=\s*<)", value) for value in values):
        target, closed, parameters = link.partition(">")
        _, opened, reference = target.partition("<")
        for parameter in parameters.split(";")[1:] if opened and closed else ():
            name, _, value = parameter.partition("=")
            relations = value.strip().strip('"').lower().split()
            if name.strip().lower() == "rel" and "next" in relations:
                return reference.strip()
    return None


def is_page(headers: Headers) -> bool:
    """Return whether an answer is called a page of HTML (8.3)."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGES


def opted_out(values: Sequence[str]) -> str | None:
    """Return the directive of X-Robots-Tag that forbids to train on the object, None for none.

    A directive may name a robot (`name: noai`). The name holds for those after it, up to the next
    name. Directives for other robots do not count.
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
    """Return whether a server asks if a person is there.

    Cloudflare sets a header for this; others are known by the first bytes of the page. The page of
    a missing file does not count, since it may hold a captcha, too.
    """
    if headers.get("cf-mitigated") == "challenge":
        return True
    if not page or status not in _CHALLENGING:
        return False
    text = page.lower()
    return any(mark in text for mark in _CHALLENGES)


class Part(NamedTuple):
    """A part of an object: its first byte, and the size of the whole in bytes if known."""

    start: int
    total: int | None


def part(headers: Headers, span: Span, etag: str | None) -> Part:
    """Return which part of an object an answer of status 206 is (14.4, 15.3.7). Raises Passing if
    it is not the part that was asked for.
    """
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
        # The server ignored If-Range: this may be a part of another file.
        raise Passing(Reason.HTTP_ERROR, f"a part of {headers.get('ETag')} instead of {etag}")
    if codings.declared([headers.get("Content-Encoding", "")]):
        raise Passing(Reason.HTTP_ERROR, "a part of compressed data")
    return Part(start, total)


def plain(value: str | None) -> str | None:
    """Return the value of a header if it is short and ASCII, fit for the ledger; else None."""
    good = value and len(value) <= _LONGEST_TAG and value.isascii() and value.isprintable()
    return value if good else None


def strong(etag: str | None) -> bool:
    """Return whether an ETag identifies the very bytes of an object (8.8.3)."""
    return etag is not None and re.fullmatch(r'"[!#-~]*"', etag) is not None
