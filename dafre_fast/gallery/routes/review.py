"""Reviews: people go through a view image by image and say right or wrong; how far they agree."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

import numpy as np
import polars as pl
from aiohttp import web

from dafre_fast.core.errors import UsageError
from dafre_fast.gallery import queries
from dafre_fast.gallery.agreement import agreement
from dafre_fast.gallery.index import Index
from dafre_fast.gallery.marks import Marks, checked
from dafre_fast.gallery.pages import Pages
from dafre_fast.gallery.replies import Redirect, html
from dafre_fast.gallery.routes.tables import KINDS, described, is_id, table_file
from dafre_fast.gallery.routes.views import ViewRoutes
from dafre_fast.gallery.verdicts import JUDGED, RIGHT, SKIPPED, WRONG, Judged, Verdict
from dafre_fast.gallery.view import View, address, read_view, split_query

COOKIE = "reviewer"
_FIELDS = ("id", "act", "name")
_ACTS = {"right": RIGHT, "wrong": WRONG, "skip": SKIPPED}


class ReviewRoutes:
    """Reviews of the images of an index. Where nothing may be written, their result is shown.

    `reviewer` is the person who reviews; None: everybody tells a name, which browsers keep.
    """

    def __init__(
        self,
        index: Index,
        pages: Pages,
        views: ViewRoutes,
        marks: Marks | None,
        reviewer: str | None,
    ) -> None:
        self._index, self._pages, self._views = index, pages, views
        self._marks, self._reviewer = marks, reviewer

    def routes(self, prefix: str) -> Sequence[web.RouteDef]:
        """Return the routes below a prefix."""
        reading = [
            web.get(f"{prefix}/agreement", self._agreement),
            web.get(f"{prefix}/verdicts.{{kind:{KINDS}}}", self._exported),
        ]
        if self._marks is None:
            return reading
        path = f"{prefix}/review"
        return [*reading, web.get(path, self._review), web.post(path, self._act)]

    def _person(self, request: web.Request) -> str | None:
        if self._reviewer:
            return self._reviewer
        try:
            return checked(unquote(request.cookies.get(COOKIE, "")), COOKIE)
        except UsageError:
            return None

    async def _review(self, request: web.Request) -> web.Response:
        view = self._views.view(request, "/review")
        return await self._views.answered(view, self._page, view, self._person(request))

    def _page(self, view: View, person: str | None) -> str:
        may_rename = self._reviewer is None
        if person is None:
            return self._pages.introduce(view)
        own = self._index.verdicts_of(person)
        now = queries.next_of(self._index, view, own)
        if now.image is None:
            skipped = len(_skipped(own))
            return self._pages.reviewed(view, person, now, skipped, may_rename=may_rename)
        details = queries.details(self._index, now.image)
        assert details
        examples = queries.examples(self._index, details.tile)
        return self._pages.review(view, person, now, details, examples, may_rename=may_rename)

    async def _act(self, request: web.Request) -> web.Response:
        form = await request.post()
        pairs = [(name, value) for name, value in form.items() if isinstance(value, str)]
        view = read_view([pair for pair in pairs if pair[0] not in _FIELDS])
        given, here = dict(pairs), f"/review{address(view)}"
        if given.get("act") == "name":
            if self._reviewer:
                raise UsageError(f"reviewer: is {self._reviewer}, as --reviewer says")
            name = given.get("name", "")
            known = quote(checked(name, COOKIE), safe="") if name.strip() else ""
            raise Redirect(here, (COOKIE, known))
        person = self._person(request)
        if person is None:
            raise UsageError("reviewer: tell your name first")
        await asyncio.to_thread(self._judge, person, given)
        raise Redirect(here)

    def _judge(self, person: str, given: Mapping[str, str]) -> None:
        assert self._marks
        act, image = given.get("act", ""), given.get("id", "")
        if act == "undo":
            self._marks.unjudge(person)
        elif act == "again":
            own = self._marks.verdicts(person).get(person, {})
            self._marks.judge(person, SKIPPED, _skipped(own), on=False)
        elif act in _ACTS:
            if not is_id(image) or not queries.exists(self._index, int(image)):
                raise UsageError("id: must be that of an image of the manifest")
            self._marks.judge(person, _ACTS[act], [int(image)])
        else:
            raise UsageError("act: must be right, wrong, skip, undo, again or name")

    async def _agreement(self, _: web.Request) -> web.Response:
        return html(await asyncio.to_thread(self._agreed))

    def _agreed(self) -> str:
        people = self._index.verdicts()
        said, images = np.unique(Judged.of(people).together, return_counts=True)
        counts = dict(zip(said.tolist()[::-1], images.tolist()[::-1], strict=True))
        return self._pages.agreement(agreement(people), counts)

    async def _exported(self, request: web.Request) -> web.Response:
        """Answer with a row per person and image, or, `merged`, with a row per image."""
        pairs = split_query(request.rel_url.raw_query_string)
        if unknown := [name for name, _ in pairs if name not in ("mark", "merged")]:
            raise UsageError(f"there is no parameter `{unknown[0]}`")
        marks = [value for name, value in pairs if name == "mark" and value]
        merged, kind = ("merged", "1") in pairs, request.match_info["kind"]
        return await asyncio.to_thread(self._file, marks, kind, merged)

    def _file(self, marks: Sequence[str], kind: str, merged: bool) -> web.Response:
        table = self._merged() if merged else self._single()
        if marks:
            table = table.filter(pl.col("mark").is_in(marks))
        return table_file(described(self._index, table), "verdicts", kind)

    def _single(self) -> pl.DataFrame:
        rows = [
            (image, one.verdict, person, one.time)
            for person, verdicts in sorted(self._index.verdicts().items())
            for image, one in sorted(verdicts.items())
            if one.verdict in JUDGED
        ]
        columns = {"id": pl.Int64, "mark": pl.String, "by": pl.String}
        return pl.DataFrame(rows, columns | {"time": pl.Datetime("us", "UTC")}, orient="row")

    def _merged(self) -> pl.DataFrame:
        found = Judged.of(self._index.verdicts())
        columns = {"id": found.ids, "mark": found.together.tolist()}
        schema = {"id": pl.Int64, "mark": pl.String, RIGHT: pl.Int64, WRONG: pl.Int64}
        return pl.DataFrame(columns | {RIGHT: found.right, WRONG: found.wrong}, schema)


def _skipped(own: Mapping[int, Verdict]) -> list[int]:
    return [image for image, one in own.items() if one.verdict == SKIPPED]
