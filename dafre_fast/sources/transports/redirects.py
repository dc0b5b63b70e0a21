"""Redirects: each hop is checked before a connection to it is made.

The first hop goes where the user said. A redirect may only lead to public addresses, or to such as
the first hop, unless `--allow-private`. What a name resolves to is known only when the HTTP library
makes a socket; `guarded_socket` checks it there.
"""

import contextvars
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from yarl import URL

from dafre_fast.core.addresses import public, public_reference
from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.manners.hosts import Reach, reach_of
from dafre_fast.sources.transports.urls import joined, origin, url_of

MOST = 5
"""Redirects in a row."""


@dataclass
class Hop:
    """One request on the way to an object, and the kinds of addresses to which it may go."""

    url: URL
    allowed: frozenset[Reach] = frozenset(Reach)
    first: bool = True
    proxy: URL | None = None
    trusts: ssl.SSLContext | bool = True
    """The certificates that are accepted, as the HTTP library takes them."""
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
    """Return the hop to which a Location header leads. Name and password go along to the same
    scheme, host and port only.

    Raises Refusal BAD_REDIRECT for anything but an HTTP address, and for an IP address of a kind
    that is not allowed.
    """
    try:
        if not location:
            raise ValueError("no Location")
        target = joined(url, location)
    except ValueError as error:
        raise Refusal(Reason.BAD_REDIRECT, f"to {_shown(location)!r}: {error}") from error
    if url.raw_user and not target.raw_user and origin(url) == origin(target):
        target = target.with_user(url.user).with_password(url.password)
    try:
        reach = reach_of(target.raw_host or "")
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
        return url_of(address)
    except ValueError as error:
        raise Refusal(Reason.HTTP_ERROR, f"{address}: {error}") from error
