"""The server of the gallery: it is started, serves a dataset to browsers, and ends.

Pages are made by `routes`, and requests are checked by `guard`. Behind a reverse proxy all links
begin with the prefix given. Requests may come with it or, where the proxy takes it off, without.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web, web_response
from msgspec.structs import replace

from dafre_fast.core.addresses import store_address
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Notice, Tell, silent
from dafre_fast.core.layout import STATE
from dafre_fast.dataset.stored import at_hand
from dafre_fast.gallery.guard import NAME, Guard
from dafre_fast.gallery.index import Index, index_dataset, open_index
from dafre_fast.gallery.names import allowed_names, in_address, is_loopback, own_names, prefix_of
from dafre_fast.gallery.pages import Pages
from dafre_fast.gallery.replies import Redirect
from dafre_fast.gallery.routes.pictures import PictureRoutes
from dafre_fast.gallery.routes.views import ViewRoutes
from dafre_fast.gallery.settings import GalleryRun

_SECONDS_TO_END = 2.0


def gallery(run: GalleryRun, opened: Callable[[str, int], None], tell: Tell = silent) -> None:
    """Serve the dataset until Ctrl-C or SIGTERM.

    Calls `opened` once, with the address and the number of images, when the server is ready. Raises
    InputError if the dataset cannot be read, OutputError if its index cannot be written, and
    UsageError if the port cannot be opened, or a prefix or name is none.
    """
    prefix_of(run)
    allowed_names(run)
    with at_hand(run.output) as folder:
        _serve_folder(replace(run, output=folder), run.output, opened, tell)


def _serve_folder(
    run: GalleryRun, asked: Path, opened: Callable[[str, int], None], tell: Tell
) -> None:
    """Serve the dataset whose records lie in the folder of `run`; `asked` is its name."""
    index = _indexed(run, asked, tell)
    if not is_loopback(run.host):
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
    app = _application(run, index)
    runner = web.AppRunner(app, access_log=None, logger=quiet, shutdown_timeout=_SECONDS_TO_END)
    with _name_of_aiohttp(NAME):
        await runner.setup()
        try:
            site = web.TCPSite(runner, run.host, run.port)
            try:
                await site.start()
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or error
                raise UsageError(f"--host {run.host} --port {run.port}: {reason}") from error
            yield f"http://{in_address(run.host)}:{runner.addresses[0][1]}{prefix_of(run)}/"
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


def _application(run: GalleryRun, index: Index) -> web.Application:
    """Return the application with all routes."""
    prefix, allowed = prefix_of(run), allowed_names(run)
    pages = Pages(run.output.resolve().name, index.outputs, f"{prefix}/")
    guard = Guard(pages, prefix, own_names(run), allowed, writing=False)
    app = web.Application(middlewares=[guard.middleware])
    for group in (ViewRoutes(index, pages), PictureRoutes(run.output, index)):
        for before in dict.fromkeys((prefix, "")):  # a proxy may take it off
            app.add_routes(group.routes(before))
    if prefix:
        app.add_routes([web.get(prefix, _home)])
    return app


async def _home(_: web.Request) -> web.Response:
    raise Redirect("/")
