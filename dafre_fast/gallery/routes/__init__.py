"""The routes of the gallery, a file for each group of them."""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web


class Routes(Protocol):
    """A group of routes."""

    def routes(self, prefix: str) -> Sequence[web.RouteDef]:
        """Return the routes, their paths below a prefix."""
        ...
