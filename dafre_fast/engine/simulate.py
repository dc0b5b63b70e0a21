"""Find out what a download would do; nothing is fetched and nothing written."""

from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl

from dafre_fast.core.addresses import public
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.running import Running, part_of
from dafre_fast.core.summaries import Place, Simulation
from dafre_fast.dataset.ledger import whole_lines
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.dataset.parts import ledgers
from dafre_fast.engine import loops
from dafre_fast.engine.fetch import unrefused
from dafre_fast.engine.originals import Originals, sought, table_of_originals
from dafre_fast.engine.parts import own_rows
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
    rows = table_of_originals(open_, fetched, originals)
    left = rows.filter(pl.col("found").is_null())
    places = loops.run(_plan(left, originals))
    return Simulation(
        images=asked.height,
        there=rows.height - left.height,
        refused=asked.height - rows.height,
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
