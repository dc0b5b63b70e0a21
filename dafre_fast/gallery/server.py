"""A dataset in a browser: the server.

It only reads, and answers GET and HEAD alone. A page is made in a thread, so that one that takes
longer keeps no picture waiting. Files are found by id through the manifest: no part of a path comes
from an address, nor is a link followed.
"""

import asyncio
import logging
import os
import re
import secrets
import signal
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path

import msgspec
from aiohttp import web, web_response

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Notice, Tell, silent
from dafre_fast.core.layout import STATE
from dafre_fast.dataset.outputs import word_of
from dafre_fast.dataset.pictures import Pictures, Place
from dafre_fast.gallery import queries as tables
from dafre_fast.gallery.index import Index, index_dataset, open_index
from dafre_fast.gallery.pages import STATIC, Pages, static
from dafre_fast.gallery.settings import GalleryRun
from dafre_fast.gallery.view import View, address, pairs_of, read_view, split_query

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_NAME = "dafre-fast"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": _NAME,
    "X-Content-Type-Options": "nosniff",
}
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:@/\\\[\]]+)(:[0-9]+)?")
_SECONDS_OF_PICTURES = 600
_SECONDS_TO_END = 2.0
_log = logging.getLogger(__name__)


def gallery(run: GalleryRun, opened: Callable[[str, int], None], tell: Tell = silent) -> None:
    """Serve the dataset until Ctrl-C or SIGTERM; `opened` is called once, with the address and the
    number of images, when it can be looked at.

    Raises InputError where it cannot be read, OutputError where its index cannot be written, and
    UsageError where the port is not to be had.
    """
    index = _indexed(run, tell)
    if not _is_loopback(run.host):
        tell(
            Notice(
                f"warning: --host {run.host}: whoever reaches this machine can look at the dataset;"
                " there is no password"
            )
        )
    asyncio.run(_serve(run, index, opened))


async def _serve(run: GalleryRun, index: Index, opened: Callable[[str, int], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(run, index) as place:
        opened(place, index.grid.shape[1])
        await stop.wait()


def _indexed(run: GalleryRun, tell: Tell) -> Index:
    folder = run.index or run.output / STATE / "gallery"
    notice = Notice(f"{run.output} is new or has changed: its index is made")
    index_dataset(run.output, folder, begin=lambda: tell(notice))
    return open_index(folder)


@asynccontextmanager
async def serving(run: GalleryRun, index: Index) -> AsyncIterator[str]:
    """Serve in this loop; gives the address. Raises UsageError where the port is not to be had."""
    quiet = logging.getLogger(f"{__name__}.protocol")
    quiet.setLevel(logging.CRITICAL)
    app = _Server(run, index).application()
    runner = web.AppRunner(app, access_log=None, logger=quiet, shutdown_timeout=_SECONDS_TO_END)
    with _name_of_aiohttp(_NAME):
        await runner.setup()
        try:
            site = web.TCPSite(runner, run.host, run.port)
            try:
                await site.start()
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or error
                raise UsageError(f"--host {run.host} --port {run.port}: {reason}") from error
            yield f"http://{_in_address(run.host)}:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


@contextmanager
def _name_of_aiohttp(name: str) -> Iterator[None]:
    """What is not HTTP, aiohttp answers by itself, with its version and Python's: replace these by
    a name while the gallery is served.
    """
    before = web_response.SERVER_SOFTWARE  # type: ignore[attr-defined]
    web_response.SERVER_SOFTWARE = name  # type: ignore[attr-defined]
    try:
        yield
    finally:
        web_response.SERVER_SOFTWARE = before  # type: ignore[attr-defined]


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Elsewhere(Exception):
    """What was asked for has another address, this one."""


class _Server:
    """Answers to requests, for one dataset."""

    def __init__(self, run: GalleryRun, index: Index) -> None:
        self._index = index
        self._pictures = Pictures.of(run.output)
        self._outputs = {output.name: output for output in index.outputs}
        self._pages = Pages(run.output.resolve().name, index.outputs)
        self._names = {"localhost", run.host.lower()}
        if not _is_loopback(run.host):
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._grid)
        app.router.add_get("/image/{id:[0-9]{1,18}}", self._image)
        app.router.add_get("/search", self._search)
        app.router.add_get("/complete", self._complete)
        names = "|".join(self._outputs)
        app.router.add_get(f"/{{output:{names}}}/{{id:[0-9]{{1,18}}}}.jpg", self._picture)
        app.router.add_get("/static/{name}", self._static)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whoever asks, the answer has our headers, and every error is a page."""
        try:
            self._check(request)
            answer = await handler(request)
        except UsageError as error:
            answer = self._error(HTTPStatus.BAD_REQUEST, str(error))
        except InputError as error:
            answer = self._error(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except _Elsewhere as elsewhere:
            answer = web.Response(status=HTTPStatus.FOUND, headers={"Location": str(elsewhere)})
        except web.HTTPException as error:
            own = error.text if error.text != f"{error.status}: {error.reason}" else None
            answer = self._error(HTTPStatus(error.status), own or "There is nothing here.")
            if isinstance(error, web.HTTPMethodNotAllowed):
                answer.headers["Allow"] = "GET, HEAD"
        except Exception:  # noqa: BLE001 - whatever it is, the others are served
            _log.exception("%s", request.rel_url)
            reason = "This could not be answered; the terminal says why."
            answer = self._error(HTTPStatus.INTERNAL_SERVER_ERROR, reason)
        answer.headers.update(_HEADERS)
        answer.headers.setdefault("Cache-Control", "no-cache")
        return answer

    def _check(self, request: web.Request) -> None:
        """A page elsewhere may let its own name lead here (DNS rebinding): such names are refused.
        A number cannot be let do so.
        """
        if request.method not in {"GET", "HEAD"}:
            text = "Here one can only look."
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"], text=text)
        parts = _HOST.fullmatch(request.headers.get("Host", ""))
        if not parts:
            raise UsageError("the request names no host, or none that can be one")
        if not self._is_ours(parts[1].lower().removesuffix(".")):
            raise web.HTTPMisdirectedRequest(text=f"This server is not called {parts[1]}.")

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return True
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _error(self, status: HTTPStatus, reason: str) -> web.Response:
        return _html(self._pages.error(status, status.phrase, reason), status)

    async def _grid(self, request: web.Request) -> web.Response:
        view = self._view(request)
        return _html(await asyncio.to_thread(self._page, view))

    def _page(self, view: View) -> str:
        page = tables.page(self._index, view)
        if view.page > page.pages:
            raise web.HTTPNotFound(text=f"There is no page {view.page}: the last is {page.pages}.")
        splits = tables.choices(self._index, view, "split")
        statuses = tables.choices(self._index, view, "status")
        return self._pages.grid(view, page, splits, statuses)

    async def _image(self, request: web.Request) -> web.Response:
        view, image = self._view(request), int(request.match_info["id"])
        return _html(await asyncio.to_thread(self._one, view, image))

    def _one(self, view: View, image: int) -> str:
        details = tables.details(self._index, image)
        if details is None:
            raise web.HTTPNotFound(text=f"The manifest has no image {image}.")
        return self._pages.image(view, details, tables.place(self._index, view, image))

    async def _search(self, request: web.Request) -> web.Response:
        text, view = self._searched(request)
        return _html(await asyncio.to_thread(self._found, view, text))

    def _found(self, view: View, text: str) -> str:
        """What is meant without doubt is shown at once, and the rest is a question."""
        if len(meant := tables.meant(self._index, text)) == 1:
            raise _Elsewhere(f"/{address(view.added(*meant[0]))}")
        is_id = re.fullmatch("[0-9]{1,18}", text)
        if not meant and is_id and tables.exists(self._index, int(text)):
            raise _Elsewhere(f"/image/{int(text)}{address(view)}")
        return self._pages.choose(view, text, tables.complete(self._index, view, text))

    async def _complete(self, request: web.Request) -> web.Response:
        text, view = self._searched(request)
        choices = await asyncio.to_thread(tables.complete, self._index, view, text)
        return _html(self._pages.completion(view, choices))

    def _view(self, request: web.Request) -> View:
        """What the address asks for. One that can be said shorter leads to the shorter one, and a
        random order without a seed to one that has it: so every address can be kept.

        Raises UsageError.
        """
        pairs = split_query(request.rel_url.raw_query_string)
        view = self._read_view(pairs)
        if view.order == "random" and view.seed is None:
            view = msgspec.structs.replace(view, seed=secrets.randbits(32))
        if sorted(pairs) != sorted(pairs_of(view)):
            raise _Elsewhere(f"{request.path}{address(view)}")
        return view

    def _searched(self, request: web.Request) -> tuple[str, View]:
        """What is looked for, `q`, and the view that it was looked for in. Raises UsageError."""
        pairs = split_query(request.rel_url.raw_query_string)
        text = " ".join(value for name, value in pairs if name == "q").strip()
        return text, self._read_view([pair for pair in pairs if pair[0] != "q"])

    def _read_view(self, pairs: list[tuple[str, str]]) -> View:
        view, words = read_view(pairs), [*map(word_of, self._outputs.values())]
        if view.show not in words:
            raise UsageError(f"show: {view.show!r} is none of {', '.join(words)}")
        return view

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in STATIC:
            raise web.HTTPNotFound
        content = static(name)
        return _unless_known(request, sha256(content).hexdigest(), content, STATIC[name])

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        image, output = int(request.match_info["id"]), request.match_info["output"]
        if not tables.exists(self._index, image):
            raise web.HTTPNotFound(text=f"The manifest has no image {image}.")
        place = self._pictures.place(self._outputs[output], image)
        try:
            content, tag = await asyncio.to_thread(_read_inside, self._pictures.folder, place)
        except OSError as error:
            raise web.HTTPNotFound(text=f"{place.name}: {error.strerror}") from error
        answer = _unless_known(request, tag, content, "image/jpeg")
        answer.headers["Cache-Control"] = f"private, max-age={_SECONDS_OF_PICTURES}"
        return answer


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status)


def _unless_known(request: web.Request, tag: str, content: bytes, kind: str) -> web.Response:
    """The content, or that the browser has it already."""
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        answer = web.Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        charset = "utf-8" if kind.startswith("text/") else None
        answer = web.Response(body=content, content_type=kind, charset=charset)
    answer.etag = tag
    return answer


def _read_inside(root: Path, wanted: Place) -> tuple[bytes, str]:
    """The bytes of a picture below `root`, and what tells them from others: time of change and size
    of its file, and where it begins in there. Raises OSError where there is no such file, and where
    a link stands anywhere on the way.
    """
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        *folders, name = wanted.file.split("/")
        for inner, kind in [*((one, os.O_DIRECTORY) for one in folders), (name, os.O_NONBLOCK)]:
            opened = os.open(inner, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=place)
            os.close(place)
            place = opened
        told = os.fstat(place)
        if not stat.S_ISREG(told.st_mode):  # nor does anything wait for a pipe
            raise OSError(0, "is no file")
        with open(place, "rb", closefd=False) as file:
            file.seek(wanted.offset)
            content = file.read(-1 if wanted.size is None else wanted.size)
        return content, f"{told.st_mtime_ns:x}-{told.st_size:x}-{wanted.offset:x}"
    finally:
        os.close(place)
