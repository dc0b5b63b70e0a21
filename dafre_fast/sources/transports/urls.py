"""URLs of HTTP as they were written: only what HTTP cannot carry is escaped.

Escapes are part of what is signed in an address, and of names with `/`, so that `%2F` and `%7e` are
sent as they stand (RFC 3986, 2.1 and 6.2.2 allow to change them, and signatures break by that).
"""

import re
from functools import lru_cache
from urllib.parse import quote

from yarl import URL

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//([^/?#]*)(.*)", re.DOTALL)


def url_of(text: str) -> URL:
    """Return an address as a URL. Raises ValueError if it is none of HTTP with a host that could be
    looked up.

    Blanks, control characters and what is not ASCII are escaped as UTF-8, bytes that are no UTF-8
    (surrogates) as they are; an internationalized host becomes ASCII.
    """
    url = _parsed(text)
    checked_host(url)
    return url


def joined(base: URL, text: str) -> URL:
    """Return the address that a reference in the answer of `base` means (RFC 3986, 5.2). Raises
    ValueError as `url_of` does.
    """
    url = base.join(_parsed(base.scheme + ":" + text if text.startswith("//") else text))
    checked_host(url)
    return url


def origin(url: URL) -> str:
    """Return scheme, host and port of a URL as one text, the scope of tokens (RFC 6454, 4)."""
    return f"{url.scheme}://{(url.raw_host or '').lower()}:{url.port}"


def checked_host(url: URL) -> str:
    """Return the host of a URL. Raises ValueError if it has none that could be looked up, or is
    not of HTTP.
    """
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise ValueError("not an address of HTTP")
    _check_host(url.raw_host)
    return url.raw_host


@lru_cache
def _check_host(host: str) -> None:
    if not re.fullmatch(r"[!-~]+", host):
        raise ValueError("a host with blanks or control characters")
    host.encode("idna")  # the resolver would raise this later


def _parsed(text: str) -> URL:
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return URL(_escaped(text), encoded=True)
    scheme, authority, rest = match.groups()
    return URL(_usual(f"{scheme or ''}//{authority}") + _escaped(rest), encoded=True)


@lru_cache
def _usual(begin: str) -> str:
    """Return scheme and authority in their usual form: nothing of this is signed."""
    return begin if begin.endswith("//") else str(URL(begin)).removesuffix("/")


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    return quote(text, safe=_PRINTABLE, errors="surrogateescape")
