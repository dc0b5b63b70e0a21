"""Pictures that are uploaded, and the names that a model gives them. Nothing is kept of them."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from dafre_fast.core.errors import UsageError
from dafre_fast.gallery import queries
from dafre_fast.gallery.index import Index
from dafre_fast.gallery.pages import Pages
from dafre_fast.gallery.recogniser import Recogniser
from dafre_fast.gallery.replies import html
from dafre_fast.gallery.view import View

MOST_BYTES = 64 << 20
"""The largest form that is taken, in bytes."""


class UploadRoutes:
    """The form to upload a picture, and what a model sees in it."""

    def __init__(self, index: Index, pages: Pages, recogniser: Recogniser) -> None:
        self._index, self._pages, self._recogniser = index, pages, recogniser

    def routes(self, prefix: str) -> Sequence[web.RouteDef]:
        """Return the routes below a prefix."""
        path = f"{prefix}/upload"
        return [web.get(path, self._form), web.post(path, self._named)]

    async def _form(self, _: web.Request) -> web.Response:
        return html(self._pages.upload())

    async def _named(self, request: web.Request) -> web.Response:
        name, data = await _picture(request)
        return html(await asyncio.to_thread(self._page, name, data))

    def _page(self, name: str, data: bytes) -> str:
        seen = self._recogniser.name(data)
        near = [queries.nearest(self._index, one.embedding) for one in seen]
        return self._pages.named(View(), name, seen, near)


async def _picture(request: web.Request) -> tuple[str, bytes]:
    """Return the file name and the bytes of the picture in a form. Raises UsageError if there is
    none.
    """
    try:
        form = await request.post()
    except web.HTTPRequestEntityTooLarge as error:
        text = f"The picture is larger than {MOST_BYTES >> 20} MiB."
        raise web.HTTPRequestEntityTooLarge(MOST_BYTES, MOST_BYTES, text=text) from error
    except ValueError as error:
        raise UsageError("the form cannot be read") from error
    field = form.get("picture")
    if not isinstance(field, web.FileField) or not field.filename:
        raise UsageError("the form has no picture: choose a file")
    return field.filename, field.file.read()
