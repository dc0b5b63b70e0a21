"""The server of the gallery.

It only reads, and answers only GET and HEAD. Pages are made in threads, so that a slow page does
not delay pictures. Files are found by id through the manifest: no part of a path comes from an
address, and no symbolic link is followed.

Behind a reverse proxy all links begin with the prefix given. Requests may come with it or, where
the proxy takes it off, without. No header of a proxy is trusted: whoever reaches this server could
send it, too.
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
from msgspec.structs import replace

from dafre_fast.core.addresses import store_address
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Notice, Tell, silent
from dafre_fast.core.layout import STATE
from dafre_fast.dataset.outputs import word_of
from dafre_fast.dataset.pictures import Pictures, Place
from dafre_fast.dataset.stored import at_hand, size_in_store
from dafre_fast.gallery import queries
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
_NAME_OF_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
_SECONDS_OF_PICTURES = 600
_SECONDS_TO_END = 2.0
_log = logging.getLogger(__name__)


def gallery(run: GalleryRun, opened: Callable[[str, int], None], tell: Tell = silent) -> None:
    """Serve the dataset until Ctrl-C or SIGTERM.

    Calls `opened` once, with the address and the number of images, when the server is ready. Raises
    InputError if the dataset cannot be read, OutputError if its index cannot be written, and
    UsageError if the port cannot be opened, or a prefix or name is none.
    """
    _prefix(run)
    _allowed(run)
    with at_hand(run.output) as folder:
        _serve_folder(replace(run, output=folder), run.output, opened, tell)


def _serve_folder(
    run: GalleryRun, asked: Path, opened: Callable[[str, int], None], tell: Tell
) -> None:
    """Serve the dataset whose records lie in the folder of `run`; `asked` is its name."""
    index = _indexed(run, asked, tell)
    if not _is_loopback(run.host):
        tell(
            Notice(
                f"warning: --host {run.host}: everyone who can reach this machine can see the"
                " dataset; there is no password"
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


def _indexed(run: GalleryRun, asked: Path, tell: Tell) -> Index:
    folder = run.index or run.output / STATE / "gallery"
    notice = Notice(f"{store_address(asked) or asked} is new or has changed: building its index")
    index_dataset(run.output, folder, begin=lambda: tell(notice))
    return open_index(folder)


@asynccontextmanager
async def serving(run: GalleryRun, index: Index) -> AsyncIterator[str]:
    """Serve in the running event loop and give the address.

    Raises UsageError if the port cannot be opened.
    """
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
            yield f"http://{_in_address(run.host)}:{runner.addresses[0][1]}{_prefix(run)}/"
        finally:
            await runner.cleanup()


@contextmanager
def _name_of_aiohttp(name: str) -> Iterator[None]:
    """Hide the versions of aiohttp and Python while the gallery is served.

    Aiohttp itself answers requests that are not HTTP, and would name both.
    """
    before = web_response.SERVER_SOFTWARE  # type: ignore[attr-defined]
    web_response.SERVER_SOFTWARE = name  # type: ignore[attr-defined]
    try:
        yield
    finally:
        web_response.SERVER_SOFTWARE = before  # type: ignore[attr-defined]


def _prefix(run: GalleryRun) -> str:
    """Return the path that precedes all others, such as `/photos`, or ''. Raises UsageError."""
    prefix = run.prefix.rstrip("/")
    prefix = f"/{prefix}" if prefix and not prefix.startswith("/") else prefix
    if not _PREFIX.fullmatch(prefix):
        raise UsageError(
            f"--prefix {run.prefix!r}: must be a path such as /photos, of letters, digits and -._~"
        )
    return prefix


def _allowed(run: GalleryRun) -> set[str]:
    """Return the names given by --allow-host as a Host header has them. Raises UsageError."""
    names = set[str]()
    for name in run.allow_host:
        try:
            ascii_name = name.rstrip(".").encode("idna").decode().lower()
        except UnicodeError:
            ascii_name = ""
        if not _NAME_OF_HOST.fullmatch(ascii_name):
            raise UsageError(
                f"--allow-host {name!r}: must be a name such as photos.example.com, without scheme,"
                " port and *"
            )
        names.add(ascii_name)
    return names


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Redirect(Exception):
    """The request is answered at another address, which is the argument, without the prefix."""


class _Server:
    """The handlers of requests for one dataset."""

    def __init__(self, run: GalleryRun, index: Index) -> None:
        self._index = index
        self._pictures = Pictures.of(run.output)
        self._outputs = {output.name: output for output in index.outputs}
        self._prefix = _prefix(run)
        self._pages = Pages(run.output.resolve().name, index.outputs, f"{self._prefix}/")
        self._names = {"localhost", run.host.lower(), *_allowed(run)}
        if not _is_loopback(run.host):
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def application(self) -> web.Application:
        """Return the application with all routes."""
        app, get = web.Application(middlewares=[self._guard]), web.get
        names = "|".join(self._outputs)
        for prefix in dict.fromkeys((self._prefix, "")):  # a proxy may take it off
            app.add_routes(
                [
                    get(f"{prefix}/", self._grid),
                    get(f"{prefix}/image/{{id:[0-9]{{1,18}}}}", self._image),
                    get(f"{prefix}/search", self._search),
                    get(f"{prefix}/complete", self._complete),
                    get(f"{prefix}/{{output:{names}}}/{{id:[0-9]{{1,18}}}}.jpg", self._picture),
                    get(f"{prefix}/static/{{name}}", self._static),
                ]
            )
        if self._prefix:
            app.add_routes([get(self._prefix, self._home)])
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check a request, set the headers of every answer, and turn every error into a page."""
        try:
            self._check(request)
            answer = await handler(request)
        except UsageError as error:
            answer = self._error(HTTPStatus.BAD_REQUEST, str(error))
        except InputError as error:
            answer = self._error(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except _Redirect as redirect:
            place = f"{self._prefix}{redirect}"
            answer = web.Response(status=HTTPStatus.FOUND, headers={"Location": place})
        except web.HTTPException as error:
            own = error.text if error.text != f"{error.status}: {error.reason}" else None
            answer = self._error(HTTPStatus(error.status), own or "There is no such page.")
            if isinstance(error, web.HTTPMethodNotAllowed):
                answer.headers["Allow"] = "GET, HEAD"
        except Exception:  # noqa: BLE001 - one failed request must not stop the server
            _log.exception("%s", request.rel_url)
            reason = "The server failed to answer. Its terminal shows the cause."
            answer = self._error(HTTPStatus.INTERNAL_SERVER_ERROR, reason)
        answer.headers.update(_HEADERS)
        answer.headers.setdefault("Cache-Control", "no-cache")
        return answer

    def _check(self, request: web.Request) -> None:
        """Refuse methods that write, and host names that are not ours.

        Another site may point its own name at this server (DNS rebinding). IP addresses cannot be
        misused so.
        """
        if request.method not in {"GET", "HEAD"}:
            text = "This server is read-only: use GET or HEAD."
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"], text=text)
        parts = _HOST.fullmatch(request.headers.get("Host", ""))
        if not parts:
            raise UsageError("the request has no Host header, or an invalid one")
        if not self._is_ours(parts[1].lower().removesuffix(".")):
            raise web.HTTPMisdirectedRequest(text=f"This server does not serve {parts[1]}.")

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

    async def _home(self, _: web.Request) -> web.Response:
        raise _Redirect("/")

    async def _grid(self, request: web.Request) -> web.Response:
        view = self._view(request, "/")
        return _html(await asyncio.to_thread(self._page, view))

    def _page(self, view: View) -> str:
        page = queries.page(self._index, view)
        if view.page > page.pages:
            raise web.HTTPNotFound(text=f"There is no page {view.page}; the last is {page.pages}.")
        splits = queries.choices(self._index, view, "split")
        statuses = queries.choices(self._index, view, "status")
        return self._pages.grid(view, page, splits, statuses)

    async def _image(self, request: web.Request) -> web.Response:
        image = int(request.match_info["id"])
        view = self._view(request, f"/image/{image}")
        return _html(await asyncio.to_thread(self._one, view, image))

    def _one(self, view: View, image: int) -> str:
        details = queries.details(self._index, image)
        if details is None:
            raise web.HTTPNotFound(text=f"The manifest has no image {image}.")
        return self._pages.image(view, details, queries.place(self._index, view, image))

    async def _search(self, request: web.Request) -> web.Response:
        text, view = self._searched(request)
        return _html(await asyncio.to_thread(self._found, view, text))

    def _found(self, view: View, text: str) -> str:
        """Redirect to the only exact match, a class, tag or id; else return a page of choices."""
        if len(exact := queries.exact_matches(self._index, text)) == 1:
            raise _Redirect(f"/{address(view.added(*exact[0]))}")
        is_id = re.fullmatch("[0-9]{1,18}", text)
        if not exact and is_id and queries.exists(self._index, int(text)):
            raise _Redirect(f"/image/{int(text)}{address(view)}")
        return self._pages.choose(view, text, queries.complete(self._index, view, text))

    async def _complete(self, request: web.Request) -> web.Response:
        text, view = self._searched(request)
        choices = await asyncio.to_thread(queries.complete, self._index, view, text)
        return _html(self._pages.completion(view, choices))

    def _view(self, request: web.Request, path: str) -> View:
        """Return the view of a request's address; `path` is that of the page.

        Redirects to the shortest address of the view, and gives a random order a seed, so that
        every address can be bookmarked. Raises UsageError for a bad parameter.
        """
        pairs = split_query(request.rel_url.raw_query_string)
        view = self._read_view(pairs)
        if view.order == "random" and view.seed is None:
            view = msgspec.structs.replace(view, seed=secrets.randbits(32))
        if sorted(pairs) != sorted(pairs_of(view)):
            raise _Redirect(f"{path}{address(view)}")
        return view

    def _searched(self, request: web.Request) -> tuple[str, View]:
        """Return the text of a search (`q`) and its view. Raises UsageError for a bad parameter."""
        pairs = split_query(request.rel_url.raw_query_string)
        text = " ".join(value for name, value in pairs if name == "q").strip()
        return text, self._read_view([pair for pair in pairs if pair[0] != "q"])

    def _read_view(self, pairs: list[tuple[str, str]]) -> View:
        view, words = read_view(pairs), [*map(word_of, self._outputs.values())]
        if view.show not in words:
            raise UsageError(f"show: must be one of {', '.join(words)}, not {view.show!r}")
        return view

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in STATIC:
            raise web.HTTPNotFound
        content = static(name)
        return _unless_known(request, sha256(content).hexdigest(), content, STATIC[name])

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        image, output = int(request.match_info["id"]), request.match_info["output"]
        if not queries.exists(self._index, image):
            raise web.HTTPNotFound(text=f"The manifest has no image {image}.")
        place = self._pictures.place(self._outputs[output], image)
        try:
            content, tag = await asyncio.to_thread(_read_inside, self._pictures.folder, place)
        except OSError as error:
            raise web.HTTPNotFound(text=f"{place.name}: {error.strerror or error}") from error
        answer = _unless_known(request, tag, content, "image/jpeg")
        answer.headers["Cache-Control"] = f"private, max-age={_SECONDS_OF_PICTURES}"
        return answer


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status)


def _unless_known(request: web.Request, tag: str, content: bytes, kind: str) -> web.Response:
    """Return an answer with the content, or 304 if the browser has it already."""
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        answer = web.Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        charset = "utf-8" if kind.startswith("text/") else None
        answer = web.Response(body=content, content_type=kind, charset=charset)
    answer.etag = tag
    return answer


def _read_inside(root: Path, wanted: Place) -> tuple[bytes, str]:
    """Return the bytes of a picture below `root`, and an entity tag for them.

    The tag is made of the file's change time and size, and the offset of the picture in it. Raises
    OSError if the file does not exist, or if any part of its path is a symbolic link, and
    InputError if it lies in an object store that cannot be read.
    """
    if size_in_store(root, wanted.file) is not None and not (root / wanted.file).exists():
        content = wanted.read(root)
        return content, sha256(content).hexdigest()
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        *folders, name = wanted.file.split("/")
        for inner, kind in [*((one, os.O_DIRECTORY) for one in folders), (name, os.O_NONBLOCK)]:
            opened = os.open(inner, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=place)
            os.close(place)
            place = opened
        status = os.fstat(place)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would block
            raise OSError(0, "is not a regular file")
        with open(place, "rb", closefd=False) as file:
            file.seek(wanted.offset)
            content = file.read(-1 if wanted.size is None else wanted.size)
        return content, f"{status.st_mtime_ns:x}-{status.st_size:x}-{wanted.offset:x}"
    finally:
        os.close(place)
