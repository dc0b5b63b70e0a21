"""The guard of the gallery: who may ask for what, and what every answer says.

No header of a proxy is trusted: whoever reaches this server could send it, too.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from dafre_fast.core.errors import InputError, OutputError, Refusal, UsageError
from dafre_fast.gallery.pages import Pages
from dafre_fast.gallery.replies import Redirect, html

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NAME = "dafre-fast"
_SECONDS_KEPT = 365 * 24 * 3600
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with less, browsers name no origin when a form is sent
    "Server": NAME,
    "X-Content-Type-Options": "nosniff",
}
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:@/\\\[\]]+)(:[0-9]+)?")
_READING, _WRITING = ("GET", "HEAD"), ("GET", "HEAD", "POST")
_log = logging.getLogger("dafre_fast.gallery")


class Guard:
    """Checks of requests, headers of answers, and pages of errors.

    `names` are those of this server, and `allowed` those of proxies before it. Forms may be sent
    only if `writing`.
    """

    def __init__(
        self,
        pages: Pages,
        prefix: str,
        names: Collection[str],
        allowed: Collection[str],
        *,
        writing: bool,
    ) -> None:
        self._pages, self._prefix = pages, prefix
        self._names, self._allowed = names, allowed
        self._methods = _WRITING if writing else _READING

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check a request, set the headers of every answer, and turn every error into a page."""
        try:
            self._check(request)
            answer = await handler(request)
        except Redirect as redirect:
            seen = request.method != "POST"
            answer = web.Response(
                status=HTTPStatus.FOUND if seen else HTTPStatus.SEE_OTHER,
                headers={"Location": f"{self._prefix}{redirect}"},
            )
            if redirect.cookie:
                answer.set_cookie(
                    *redirect.cookie,
                    path=f"{self._prefix}/",
                    max_age=_SECONDS_KEPT,
                    httponly=True,
                    samesite="Strict",
                )
        except Exception as error:  # noqa: BLE001 - one failed request must not stop the server
            answer = self._answer(request, error)
        answer.headers.update(_HEADERS)
        answer.headers.setdefault("Cache-Control", "no-cache")
        return answer

    def _answer(self, request: web.Request, error: Exception) -> web.Response:
        match error:
            case UsageError():
                return self._error(HTTPStatus.BAD_REQUEST, str(error))
            case Refusal():
                return self._error(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
            case InputError() | OutputError():
                return self._error(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
            case web.HTTPException():
                return self._of_aiohttp(error)
        _log.error("%s", request.rel_url, exc_info=error)
        reason = "The server failed to answer. Its terminal shows the cause."
        return self._error(HTTPStatus.INTERNAL_SERVER_ERROR, reason)

    def _of_aiohttp(self, error: web.HTTPException) -> web.Response:
        own = error.text if error.text != f"{error.status}: {error.reason}" else None
        if isinstance(error, web.HTTPMethodNotAllowed):
            allowed = [method for method in self._methods if method in error.allowed_methods]
            own = f"This address answers {' and '.join(allowed)} only."
            answer = self._error(HTTPStatus(error.status), own)
            answer.headers["Allow"] = ", ".join(allowed)
            return answer
        return self._error(HTTPStatus(error.status), own or "There is no such page.")

    def _error(self, status: HTTPStatus, reason: str) -> web.Response:
        return html(self._pages.error(status, status.phrase, reason), status)

    def _check(self, request: web.Request) -> None:
        """Refuse methods that write where nothing may be written, host names that are not ours, and
        forms that pages of others send.

        Another site may point its own name at this server (DNS rebinding). IP addresses cannot be
        misused so.
        """
        if request.method not in self._methods:
            raise web.HTTPMethodNotAllowed(request.method, _READING)
        host = request.headers.get("Host", "")
        parts = _HOST.fullmatch(host)
        if not parts:
            raise UsageError("the request has no Host header, or an invalid one")
        if not self._is_ours(parts[1].lower().removesuffix(".")):
            raise web.HTTPMisdirectedRequest(text=f"This server does not serve {parts[1]}.")
        if request.method == "POST" and not self._is_from_here(request, host):
            raise web.HTTPForbidden(text="Forms are taken from the pages of this gallery only.")

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return True
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _is_from_here(self, request: web.Request, host: str) -> bool:
        """Return whether a page of this server sends a form; browsers name its origin."""
        try:
            origin = urlsplit(request.headers.get("Origin", ""))
            name = origin.hostname
        except ValueError:
            return False
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return False
        return bool(name) and (origin.netloc.lower() == host.lower() or name in self._allowed)
