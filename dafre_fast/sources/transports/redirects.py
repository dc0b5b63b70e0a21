"""Redirects: each hop is checked before a connection to it is made.

The first hop goes where the user said. A redirect may only lead to public addresses, or to such as
the first hop, unless `--allow-private`. What a name resolves to is known only when the HTTP library
makes a socket; `guarded_socket` checks it there.
"""

import contextvars
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from yarl import URL

from dafre_fast.core.addresses import public, public_reference
from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.manners.hosts import Reach, reach_of

MOST = 5
"""Redirects in a row."""


@dataclass
class Hop:
    """One request on the way to an object, and the kinds of addresses to which it may go."""

    url: URL
    allowed: frozenset[Reach] = frozenset(Reach)
    first: bool = True
    proxy: URL | None = None
    refused: str = ""
    """The address to which it may not go, set by `guarded_socket`."""

    def check(self, peer: Any) -> None:
        """Raise Refusal if an answer comes over a connection to `peer`, (address, port), to which a
        redirect may not go: one that was made for another request.
        """
        if not self.first and self.reach(peer) not in self.allowed:
            raise Refusal(Reason.BAD_REDIRECT, "over a connection to an inner address")

    def reach(self, peer: Any) -> Reach:
        """Return the reach of the `peer` that answers; PUBLIC, the strictest, behind a proxy."""
        return reach_of(str(peer[0])) if peer and self.proxy is None else Reach.PUBLIC

    def follow(self, location: str, peer: Any, *, allow_private: bool) -> "Hop":
        """Return the next hop. Raises Refusal as `redirected` does."""
        if allow_private:
            allowed = frozenset(Reach)
        elif self.first:
            allowed = frozenset({Reach.PUBLIC, self.reach(peer)})
        else:
            allowed = self.allowed
        return redirected(self.url, location, allowed)


# The HTTP library makes sockets in tasks of its own, to which it hands no request: only the context
# of the task that asks comes along.
_current: contextvars.ContextVar[Hop | None] = contextvars.ContextVar("_current", default=None)


@contextmanager
def guarding(hop: Hop) -> Iterator[None]:
    """Let `guarded_socket` check sockets for this hop. A proxy may be anywhere."""
    token = _current.set(None if hop.proxy else hop)
    try:
        yield
    finally:
        _current.reset(token)


def guarded_socket(address: Any) -> socket.socket:
    """Return a socket for an address of `getaddrinfo`. Raises PermissionError if the current hop
    may not go there.
    """
    family, kind, protocol, _, place = address
    hop, reach = _current.get(), reach_of(str(place[0]))
    if hop and reach not in hop.allowed:
        hop.refused = f"{place[0]}, a {reach.name.lower()} address"
        raise PermissionError(hop.refused)
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


def redirected(url: URL, location: str, allowed: frozenset[Reach]) -> Hop:
    """Return the hop to which a Location header leads.

    Raises Refusal BAD_REDIRECT for anything but an HTTP address, and for an IP address of a kind
    that is not allowed.
    """
    try:
        if not location:
            raise ValueError("no Location")
        # Verbatim where possible: signed addresses are not the same with other escapes.
        target = url.join(URL(location, encoded=re.fullmatch(r"[!-~]+", location) is not None))
        host = checked_host(target)
    except ValueError as error:
        raise Refusal(Reason.BAD_REDIRECT, f"to {_shown(location)!r}: {error}") from error
    try:
        reach = reach_of(host)
    except ValueError:
        return Hop(target, allowed, first=False)
    if reach not in allowed:
        raise Refusal(Reason.BAD_REDIRECT, f"to {target}: a {reach.name.lower()} address")
    return Hop(target, allowed, first=False)


def _shown(location: str) -> str:
    """Return a Location header without what may be secret, whether it has a scheme or not."""
    return public(location) if "://" in location else public_reference(location)


def parsed(address: str) -> URL:
    """Return an address as a URL. Raises Refusal HTTP_ERROR if it is none of HTTP."""
    try:
        url = URL(address)
        checked_host(url)
    except ValueError as error:
        raise Refusal(Reason.HTTP_ERROR, f"{address}: {error}") from error
    return url


def checked_host(url: URL) -> str:
    """Return the host of a URL. Raises ValueError if it has none that could be looked up, or is
    not of HTTP.
    """
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise ValueError("not an address of HTTP")
    if "\0" in url.raw_host:
        raise ValueError("a NUL byte")
    url.raw_host.encode("idna")  # the resolver would raise this later
    return url.raw_host
