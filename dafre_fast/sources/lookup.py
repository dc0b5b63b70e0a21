"""Look up the addresses of hosts. A resolver may take as long as it likes, or never answer."""

import socket
from typing import Any, NamedTuple

from dafre_fast.core.daemons import Daemons

_LOOKUPS = Daemons("lookup", most=16)


class Address(NamedTuple):
    """An address of a host, as `socket.getaddrinfo` returns it."""

    family: int
    kind: int
    protocol: int
    name: str
    place: Any
    """Pair of IP address and port, for IPv6 with two more numbers."""


async def look_up(host: str, port: int, family: int = 0, flags: int = 0) -> list[Address]:
    """Return the addresses of a host for TCP. Raises OSError. A cancellation does not wait."""

    def ask() -> list[Address]:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=flags)
        return [Address(*one) for one in found]

    return await _LOOKUPS.run(ask)
