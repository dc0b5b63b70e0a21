"""Marks: set, taken off, undone, listed, and exported for other commands."""

import asyncio
from collections.abc import Sequence

import polars as pl
from aiohttp import web

from dafre_fast.core.errors import UsageError
from dafre_fast.gallery import matching, queries
from dafre_fast.gallery.index import Column, Index
from dafre_fast.gallery.marks import Marks
from dafre_fast.gallery.pages import Pages
from dafre_fast.gallery.replies import Redirect, html
from dafre_fast.gallery.routes.tables import described, is_id, table_file
from dafre_fast.gallery.view import View, address, read_view, split_query

_FIELDS = ("id", "mark", "act", "all", "image", "back")


class MarkRoutes:
    """Marks of the images of an index. Where they may not be set, they are shown."""

    def __init__(self, index: Index, pages: Pages, marks: Marks, *, writing: bool) -> None:
        self._index, self._pages, self._marks = index, pages, marks
        self._writing = writing

    def routes(self, prefix: str) -> Sequence[web.RouteDef]:
        """Return the routes below a prefix."""
        reading = [
            web.get(f"{prefix}/marks", self._listed),
            web.get(f"{prefix}/marks.{{kind:csv|parquet|txt}}", self._exported),
        ]
        return [*reading, web.post(f"{prefix}/marks", self._set)] if self._writing else reading

    async def _listed(self, _: web.Request) -> web.Response:
        marks = {name: len(self._marks.of(name)) for name in self._marks.names()}
        return html(self._pages.marked(marks, self._marks.last()))

    async def _set(self, request: web.Request) -> web.Response:
        form = await request.post()
        pairs = [(name, value) for name, value in form.items() if isinstance(value, str)]
        view = read_view([pair for pair in pairs if pair[0] not in _FIELDS])
        given = dict(pairs)
        await asyncio.to_thread(self._act, view, given, [v for n, v in pairs if n == "id"])
        if given.get("back") == "marks":
            raise Redirect("/marks")
        image = given.get("image", "")
        place = f"/image/{int(image)}" if is_id(image) else "/"
        raise Redirect(f"{place}{address(view)}")

    def _act(self, view: View, given: dict[str, str], ids: Sequence[str]) -> None:
        act = given.get("act")
        if act == "undo":
            self._marks.undo()
        elif act in {"mark", "unmark"}:
            chosen = self._chosen(view, ids, everything="all" in given)
            self._marks.set(given.get("mark", ""), chosen, on=act == "mark")
        else:
            raise UsageError("act: must be mark, unmark or undo")

    def _chosen(self, view: View, ids: Sequence[str], *, everything: bool) -> list[int]:
        if everything:
            if wrong := matching.wrong(self._index, view.terms):
                raise UsageError(f"nothing fits {wrong[0].term}")
            rows = queries.rows_of(self._index, view)
            return [*map(int, self._index.grid[Column.ID][rows])]
        chosen = [int(one) for one in ids if is_id(one)]
        missing = [one for one in chosen if not queries.exists(self._index, one)]
        if not chosen or missing or len(chosen) != len(ids):
            raise UsageError("id: choose images of the manifest first")
        return chosen

    async def _exported(self, request: web.Request) -> web.Response:
        """Answer with a row per mark and image as CSV or Parquet, or with the ids alone."""
        pairs = split_query(request.rel_url.raw_query_string)
        if unknown := [name for name, _ in pairs if name != "mark"]:
            raise UsageError(f"there is no parameter `{unknown[0]}`")
        names = [value for _, value in pairs if value] or self._marks.names()
        kind = request.match_info["kind"]
        return await asyncio.to_thread(self._file, names, kind)

    def _file(self, names: Sequence[str], kind: str) -> web.Response:
        return table_file(self._table(names), "marks", kind)

    def _table(self, names: Sequence[str]) -> pl.DataFrame:
        rows = [
            (image, name, time) for name in names for image, time in self._marks.of(name).items()
        ]
        columns: list[tuple[str, pl.DataType]] = [
            ("id", pl.Int64()),
            ("mark", pl.String()),
            ("time", pl.Datetime("us", "UTC")),
        ]
        marked = pl.DataFrame(rows, columns, orient="row")
        return described(self._index, marked)
