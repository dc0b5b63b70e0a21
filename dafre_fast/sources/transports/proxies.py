"""Proxies of the environment: `http_proxy`, `https_proxy`, `no_proxy`."""

from urllib.request import getproxies, proxy_bypass

from yarl import URL

from dafre_fast.core.errors import UsageError
from dafre_fast.sources.transports.redirects import checked_host


class Proxies:
    """The proxies of the environment, read once. The HTTP library would read the environment in a
    thread at each request.
    """

    def __init__(self) -> None:
        """Raises UsageError for the address of a proxy that is none of HTTP."""
        self._by_scheme: dict[str, URL] = {}
        for scheme, text in getproxies().items():
            if scheme not in {"http", "https"}:
                continue
            try:
                proxy = URL(text if "://" in text else f"http://{text}")
                checked_host(proxy)
            except ValueError as error:
                raise UsageError(f"{scheme}_proxy {text!r} of the environment: {error}") from error
            self._by_scheme[scheme] = proxy

    def to(self, url: URL) -> URL | None:
        """Return the proxy for a URL, None for none."""
        proxy = self._by_scheme.get(url.scheme)
        return None if proxy and proxy_bypass(url.host or "") else proxy
