"""Pages of views: the grid, one image, look-alikes, and the search."""

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from dafre_fast.core.errors import UsageError
from dafre_fast.dataset.outputs import word_of
from dafre_fast.gallery import matching, queries
from dafre_fast.gallery.beside import find_duplicates, find_original
from dafre_fast.gallery.index import Index
from dafre_fast.gallery.language import read, split_order
from dafre_fast.gallery.matching import KINDS
from dafre_fast.gallery.pages import Pages
from dafre_fast.gallery.replies import Redirect, html
from dafre_fast.gallery.verdicts import verdicts_on
from dafre_fast.gallery.view import (
    Beside,
    Listing,
    View,
    address,
    pairs_of,
    read_listing,
    read_view,
    split_query,
)


class ViewRoutes:
    """Pages of a dataset. They are made in threads, so that a slow page does not delay pictures."""

    def __init__(self, dataset: Path, index: Index, pages: Pages) -> None:
        self._dataset, self._index, self._pages = dataset, index, pages
        self._words = [*map(word_of, index.outputs)]

    def routes(self, prefix: str) -> Sequence[web.RouteDef]:
        """Return the routes below a prefix."""
        return [
            web.get(f"{prefix}/", self._grid),
            web.get(f"{prefix}/image/{{id:[0-9]{{1,18}}}}", self._image),
            web.get(f"{prefix}/like/{{id:[0-9]{{1,18}}}}", self._like),
            web.get(f"{prefix}/names/{{kind:{'|'.join(KINDS)}}}", self._names),
            web.get(f"{prefix}/search", self._search),
            web.get(f"{prefix}/complete", self._complete),
        ]

    def warm_up(self) -> None:
        """Make the first page once, so that files are mapped and templates compiled by then."""
        self._page(View())

    async def _grid(self, request: web.Request) -> web.Response:
        view = self.view(request, "/")
        return await self.answered(view, self._page, view)

    def _page(self, view: View) -> str:
        page = queries.page(self._index, view)
        if view.page > page.pages:
            raise web.HTTPNotFound(text=f"There is no page {view.page}; the last is {page.pages}.")
        splits = queries.choices(self._index, view, "split")
        statuses = queries.choices(self._index, view, "status")
        judged = queries.judged(self._index, view)
        return self._pages.grid(view, page, splits, statuses, judged)

    async def _image(self, request: web.Request) -> web.Response:
        image = int(request.match_info["id"])
        view = self.view(request, f"/image/{image}")
        return await self.answered(view, self._one, view, image)

    def _one(self, view: View, image: int) -> str:
        details = queries.details(self._index, image)
        if details is None:
            raise web.HTTPNotFound(text=f"The manifest has no image {image}.")
        place = queries.place(self._index, view, image)
        beside = Beside(
            original=find_original(self._dataset, image),
            duplicates=queries.tiles_of(self._index, find_duplicates(self._dataset, image)),
            verdicts=verdicts_on(self._index.verdicts(), image),
        )
        return self._pages.image(view, details, place, beside)

    async def answered(self, view: View, make: Callable[..., str], *values: object) -> web.Response:
        """Return the page that `make` makes or, if nothing fits a term of the view, one that tells
        the nearest.
        """
        wrong = await asyncio.to_thread(matching.wrong, self._index, view.terms)
        if wrong:
            return html(self._pages.wrong(view, wrong), HTTPStatus.NOT_FOUND)
        return html(await asyncio.to_thread(make, *values))

    async def _like(self, request: web.Request) -> web.Response:
        image = int(request.match_info["id"])
        view = self.view(request, f"/like/{image}")
        return html(await asyncio.to_thread(self._look_alikes, view, image))

    def _look_alikes(self, view: View, image: int) -> str:
        near = queries.look_alikes(self._index, image)
        if near is None:
            raise web.HTTPNotFound(text=f"No model was asked about an image {image}.")
        return self._pages.like(view, f"image {image}", near)

    async def _names(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        asked = read_listing(split_query(request.rel_url.raw_query_string))
        return html(await asyncio.to_thread(self._listed, kind, asked))

    def _listed(self, kind: str, asked: Listing) -> str:
        listed = queries.listing(self._index, kind, asked)
        if asked.page > listed.pages:
            raise web.HTTPNotFound(text=f"There is no page {asked.page} of {listed.pages}.")
        return self._pages.names(kind, asked, listed)

    async def _search(self, request: web.Request) -> web.Response:
        """Redirect to the view that a line asks for, or to the image whose id it is."""
        text, view = self._searched(request)
        terms, order = split_order(read(text))
        asked = view.asking(matching.resolve(self._index, [*view.terms, *terms]))
        is_id = re.fullmatch("[0-9]{1,18}", text) and queries.exists(self._index, int(text))
        if is_id and matching.wrong(self._index, asked.terms):
            raise Redirect(f"/image/{int(text)}{address(view)}")
        raise Redirect(f"/{address(asked.but(order=order or view.order))}")

    async def _complete(self, request: web.Request) -> web.Response:
        text, view = self._searched(request)
        choices = await asyncio.to_thread(queries.complete, self._index, view, text)
        return html(self._pages.completion(choices))

    def view(self, request: web.Request, path: str) -> View:
        """Return the view of a request's address; `path` is that of the page.

        Redirects to the one address of the view, in which names are written as in the dataset, and
        gives a random order a seed, so that every address can be bookmarked. Raises UsageError for
        a bad parameter.
        """
        pairs = split_query(request.rel_url.raw_query_string)
        view = self._read_view(pairs)
        view = view.asking(matching.resolve(self._index, view.terms)).but(page=view.page)
        if view.order == "random" and view.seed is None:
            view = view.but(page=view.page, seed=secrets.randbits(32))
        if sorted(pairs) != sorted(pairs_of(view)):
            raise Redirect(f"{path}{address(view)}")
        return view

    def _searched(self, request: web.Request) -> tuple[str, View]:
        """Return the line of a search (`q`), and the view of the other parameters. Raises
        UsageError for a bad parameter.
        """
        pairs = split_query(request.rel_url.raw_query_string)
        text = " ".join(value for name, value in pairs if name == "q").strip()
        return text, self._read_view([pair for pair in pairs if pair[0] != "q"])

    def _read_view(self, pairs: list[tuple[str, str]]) -> View:
        view = read_view(pairs)
        if view.show not in self._words:
            raise UsageError(f"show: must be one of {', '.join(self._words)}, not {view.show!r}")
        return view
