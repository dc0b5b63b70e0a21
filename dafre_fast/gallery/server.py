"""The server of the gallery: it is started, serves a dataset to browsers, and ends.

Pages are made by `routes`, and requests are checked by `guard`. Behind a reverse proxy all links
begin with the prefix given. Requests may come with it or, where the proxy takes it off, without.
"""

import asyncio
import dataclasses
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web, web_response
from msgspec.structs import replace

from dafre_fast.core.addresses import store_address
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Notice, Tell, silent
from dafre_fast.core.layout import STATE
from dafre_fast.dataset.stored import at_hand
from dafre_fast.gallery.answers import read_answers
from dafre_fast.gallery.guard import NAME, Guard
from dafre_fast.gallery.index import Column, Index, index_dataset, open_index, ordered_columns
from dafre_fast.gallery.marks import Marks, checked
from dafre_fast.gallery.names import (
    allowed_names,
    in_address,
    is_loopback,
    is_own,
    own_names,
    prefix_of,
)
from dafre_fast.gallery.pages import Pages
from dafre_fast.gallery.recogniser import Recogniser
from dafre_fast.gallery.replies import Redirect
from dafre_fast.gallery.routes.marks import MarkRoutes
from dafre_fast.gallery.routes.pictures import PictureRoutes
from dafre_fast.gallery.routes.review import ReviewRoutes
from dafre_fast.gallery.routes.uploads import MOST_BYTES, UploadRoutes
from dafre_fast.gallery.routes.views import ViewRoutes
from dafre_fast.gallery.settings import GalleryRun
from dafre_fast.learning.needed import check_installed

if TYPE_CHECKING:
    from dafre_fast.gallery.routes import Routes

_SECONDS_TO_END = 2.0


def gallery(run: GalleryRun, opened: Callable[[str, int], None], tell: Tell = silent) -> None:
    """Serve the dataset until Ctrl-C or SIGTERM.

    Calls `opened` once, with the address and the number of images, when the server is ready. Raises
    InputError if the dataset cannot be read, OutputError if its index cannot be written, and
    UsageError if the port cannot be opened, or a prefix or name is none.
    """
    prefix_of(run)
    allowed_names(run)
    _check_reviews(run)
    with at_hand(run.output) as folder:
        _serve_folder(replace(run, output=folder), run.output, opened, tell)


def _check_reviews(run: GalleryRun) -> None:
    """Raise UsageError for a reviewer whose name is none, InputError for a file that is missing."""
    if run.reviewer is not None:
        checked(run.reviewer, "--reviewer")
    for path in run.reviews:
        if not path.is_file():
            raise InputError(f"--reviews {path}: is no file of marks (marks.jsonl)")


def _serve_folder(
    run: GalleryRun, asked: Path, opened: Callable[[str, int], None], tell: Tell
) -> None:
    """Serve the dataset whose records lie in the folder of `run`; `asked` is its name."""
    index = prepared(run, asked, tell)
    if run.model and (reason := why_no_uploads(run)):
        tell(Notice(f"no upload of pictures: {reason}"))
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


def prepared(run: GalleryRun, asked: Path, tell: Tell = silent) -> Index:
    """Return the index of the dataset in the folder of `run`, up to date, with the answers of the
    model; `asked` is the dataset's name. Raises InputError and OutputError.
    """
    folder = run.index or run.output / STATE / "gallery"
    notice = Notice(f"{store_address(asked) or asked} is new or has changed: building its index")
    index_dataset(run.output, folder, begin=lambda: tell(notice))
    reviews = tuple(Marks(path.parent, path.name) for path in run.reviews)
    index = dataclasses.replace(open_index(folder), marks=Marks(folder), reviews=reviews)
    index.verdicts()  # a file that cannot be read is said now
    if not run.model:
        return index
    name = Path(store_address(asked) or asked.resolve()).name
    answers = read_answers(run.model, name, index.grid[Column.ID])
    if not answers.folders:
        tell(
            Notice(
                f"{run.model} has not judged this dataset:"
                f" dafre-fast evaluate --model {run.model} --output {asked}"
            )
        )
    return dataclasses.replace(index, answers=answers)


def why_no_uploads(run: GalleryRun) -> str | None:
    """Return the reason why no pictures may be uploaded; None if they may."""
    if run.model is None:
        return "no --model is given"
    try:
        check_installed()
    except UsageError as error:
        return str(error)
    if not run.allow_others and not is_own(run):
        return "others are served, who may upload pictures with --allow-others only"
    return None


def may_mark(run: GalleryRun, index: Index) -> bool:
    """Return whether images may be marked: beside the index, by those who may change anything."""
    return bool(index.marks and index.marks.writable) and (run.allow_others or is_own(run))


@asynccontextmanager
async def serving(run: GalleryRun, index: Index) -> AsyncIterator[str]:
    """Serve in the running event loop and give the address.

    Raises UsageError if the port cannot be opened.
    """
    quiet = logging.getLogger(f"{__name__}.protocol")
    quiet.setLevel(logging.CRITICAL)
    recogniser = Recogniser(run.model) if run.model and not why_no_uploads(run) else None
    app = _application(run, index, recogniser)
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
            if recogniser:
                recogniser.close()


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


def _application(run: GalleryRun, index: Index, recogniser: Recogniser | None) -> web.Application:
    """Return the application with all routes."""
    prefix, allowed = prefix_of(run), allowed_names(run)
    uploads, marking = recogniser is not None, may_mark(run, index)
    marks = index.marks if marking else None
    columns = ordered_columns(index.rows)
    title = run.output.resolve().name
    pages = Pages(title, index.outputs, f"{prefix}/", columns, uploads=uploads, marks=marks)
    guard = Guard(pages, prefix, own_names(run), allowed, writing=uploads or marking)
    app = web.Application(middlewares=[guard.middleware], client_max_size=MOST_BYTES)
    views = ViewRoutes(run.output, index, pages)
    views.warm_up()
    reviewer = checked(run.reviewer, "--reviewer") if run.reviewer else None
    reviews = ReviewRoutes(index, pages, views, marks, reviewer)
    groups: list[Routes] = [views, PictureRoutes(run.output, index), reviews]
    if index.marks:
        groups.append(MarkRoutes(index, pages, index.marks, writing=marking))
    if recogniser:
        groups.append(UploadRoutes(index, pages, recogniser))
    for group in groups:
        for before in dict.fromkeys((prefix, "")):  # a proxy may take it off
            app.add_routes(group.routes(before))
    if prefix:
        app.add_routes([web.get(prefix, _home)])
    return app


async def _home(_: web.Request) -> web.Response:
    raise Redirect("/")
