"""Proxies of the environment: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower or
upper case.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from dafre_fast.core.errors import UsageError
from dafre_fast.sources.transports.urls import checked_host

_SCHEMES = ("http", "https")
_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):(\d+)")


class Proxies:
    """The proxies of the environment, read once. The HTTP library would read the environment in a
    thread at each request.
    """

    def __init__(self) -> None:
        named = getproxies()
        self._by_scheme = {scheme: _of(scheme, named) for scheme in _SCHEMES}
        self._text = named.get("no", "")
        self._no_proxy = [*_entries(self._text)]

    def to(self, url: URL) -> URL | None:
        """Return the proxy for a URL, None for none. Raises UsageError if that is no proxy of
        HTTP.
        """
        found = self._by_scheme.get(url.scheme)
        if found is None or self._passes_by(url):
            return None
        if isinstance(found, UsageError):
            raise found
        return found

    def way(self, url: URL) -> tuple[str, str] | None:
        """Return the proxy to a host and its subdomains as text, and the hosts that are asked
        without it, for a library that reads such text; None if the environment names none. Raises
        as `to` does.
        """
        proxy, named = self.to(url), self._by_scheme.get(url.scheme)
        if not isinstance(named, URL):
            return None
        without = self._text if proxy else f"{url.host},{self._text}"
        return str(named), without

    def _passes_by(self, url: URL) -> bool:
        host, port = (url.host or "").lower().rstrip("."), url.port
        if any(_means(entry, at, host, port) for entry, at in self._no_proxy):
            return True
        return bool(proxy_bypass(host))  # macOS and Windows have settings of their own


def _of(scheme: str, named: dict[str, str]) -> URL | UsageError | None:
    """Return the proxy for a scheme: its own, else that of all schemes."""
    variable = next((name for name in (scheme, "all") if named.get(name, "").strip()), None)
    if variable is None:
        return None
    text = named[variable].strip()
    try:
        proxy = URL(text if "://" in text else f"http://{text}")
        checked_host(proxy)
    except ValueError as error:
        # Without the address: it may hold a password.
        kind, separator, _ = text.partition("://")
        problem = f"{kind} proxies are not supported" if separator else str(error)
        if kind in _SCHEMES:
            problem = str(error)
        return UsageError(
            f"{variable}_proxy of the environment: {problem}; name a proxy of HTTP"
            f" (http://host:port) in {scheme}_proxy, or the host in no_proxy"
        )
    return proxy


def _entries(text: str) -> Iterator[tuple[str, int | None]]:
    """Yield the hosts, suffixes and networks of no_proxy, each with its port if it has one."""
    for entry in re.split(r"[\s,]+", text.lower()):
        match = _PORT.fullmatch(entry)
        host, port = (match[1], int(match[2])) if match else (entry, None)
        host = host.removeprefix("[").removesuffix("]").removeprefix("*.").strip(".")
        if host:
            yield host, port


def _means(entry: str, at: int | None, host: str, port: int | None) -> bool:
    """Return whether an entry of no_proxy means a host and its port."""
    if at not in (None, port):
        return False
    if entry in {"*", host} or host.endswith(f".{entry}"):
        return True
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
