"""The resolver of the HTTP library: `sources.lookup`."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from dafre_fast.sources.lookup import look_up

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Resolver(AbstractResolver):
    """Looks up names in threads that hold up neither a cancellation nor the exit."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await look_up(host, port, family, socket.AI_ADDRCONFIG)
        return [
            ResolveResult(
                hostname=host,
                host=_with_scope(address.place),
                port=address.place[1],
                family=address.family,
                proto=address.protocol,
                flags=_NUMERIC,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Do nothing: the threads are shared."""


def _with_scope(place: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """Return an IP address with the interface that a link-local one belongs to (RFC 4007)."""
    scope = place[3] if len(place) == 4 else 0
    return f"{place[0]}%{scope}" if scope and "%" not in place[0] else place[0]
