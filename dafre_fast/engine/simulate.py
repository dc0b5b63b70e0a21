"""Find out what a download or a whole run would do; nothing is fetched and nothing written."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import polars as pl

from dafre_fast.core.addresses import public
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running, part_of
from dafre_fast.core.summaries import Place, Simulation
from dafre_fast.dataset.ledger import whole_lines
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.dataset.parts import ledgers
from dafre_fast.dataset.spools import Spools
from dafre_fast.engine import loops
from dafre_fast.engine.fetch import unrefused
from dafre_fast.engine.originals import Originals, sought, table_of_originals
from dafre_fast.engine.parts import own_rows
from dafre_fast.engine.plan import lean
from dafre_fast.engine.refusals import reopened
from dafre_fast.engine.remaking import Remaking
from dafre_fast.engine.run import left_to_make
from dafre_fast.sources.interface import Planned

_ARCHIVES = (".tar", ".zip")


def simulate_all(
    asked: pl.DataFrame, originals: Originals, running: Running, output: Path
) -> Simulation:
    """Return what `fetch_all` would do now with the same arguments."""
    asked, states = own_rows(asked, running), ledgers(output, part_of(running))
    lines = b"".join(map(whole_lines, states)) if running.resume else b""
    fetched = last_outcomes(lines, "fetch")
    open_ = unrefused(asked, fetched, originals, retry_failed=running.retry_failed)
    rows = table_of_originals(open_.select("key"), fetched, originals)
    return _simulated(asked.height, rows, originals)


class Standing(NamedTuple):
    """The work that is left to a run: the rows of `asked` that are not made, how many were refused
    before, and the last outcomes of making.
    """

    left: pl.DataFrame
    refused: int
    made: pl.LazyFrame


def simulate_making(
    asked: pl.DataFrame,
    originals: Originals,
    recipe: Recipe,
    running: Running,
    output: Path,
    spools: Spools | None,
) -> tuple[Standing, Simulation]:
    """Return what `engine.run.make_all` would leave to do now with the same arguments, and where
    the originals of that would come from.
    """
    part, lines = part_of(running), b""
    if running.resume:
        lines = b"".join(map(whole_lines, ledgers(output, part)))
    made = last_outcomes(lines, "make", recipe.outputs).collect().lazy()
    fetched = last_outcomes(lines, "fetch").collect().lazy()
    standing = Remaking(output, recipe, part).standing(made, retry_failed=running.retry_failed)
    again = reopened(fetched, originals.identity).join(
        standing.filter(pl.col("reason").is_not_null()), on="key", how="semi"
    )
    standing = standing.join(again, on="key", how="anti", maintain_order="left")
    left, refused = left_to_make(lean(asked, recipe.outputs), made, standing, recipe, spools)
    rows = table_of_originals(left, fetched, originals)
    return Standing(left, refused, made), _simulated(left.height, rows, originals)


def _simulated(images: int, rows: pl.DataFrame, originals: Originals) -> Simulation:
    """Return where the originals of a table would come from, of so many `images` asked for."""
    left = rows.filter(pl.col("found").is_null())
    places = loops.run(_plan(left, originals))
    return Simulation(
        images=images,
        there=rows.height - left.height,
        refused=images - rows.height,
        nowhere=left.height - sum(place.originals for place in places),
        places=places,
    )


async def _plan(rows: pl.DataFrame, originals: Originals) -> list[Place]:
    """Return the places of the originals in `rows`, the one with the most originals first."""
    sizes = defaultdict[str, list[int | None]](list)

    def take(_: Sought, planned: Planned | None) -> None:
        if planned:
            sizes[_place(planned.url)].append(planned.bytes)

    async with originals.source as source:
        await source.plan(sought(rows), take)
    places = [
        Place(place, len(found), sum(filter(None, found)), found.count(None))
        for place, found in sizes.items()
    ]
    return sorted(places, key=lambda place: (-place.originals, place.place))


def _place(url: str) -> str:
    """Return the archive that holds an original, or else its host, or else its folder."""
    parts = urlsplit(public(url))
    if not parts.netloc:
        return str(Path(url).parent.parent)
    whole = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return whole if parts.path.endswith(_ARCHIVES) else f"{parts.scheme}://{parts.netloc}"
