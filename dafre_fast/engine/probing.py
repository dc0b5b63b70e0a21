"""Try a few originals in a temporary folder, and guess from them how long all would take."""

import tempfile
import time
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.events import silent
from dafre_fast.core.layout import ORIGINALS, STATE
from dafre_fast.core.records import Fetched, Made, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Workers, usable_cores
from dafre_fast.core.settings.tables import Taking
from dafre_fast.core.summaries import Place, Probes, Simulation
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.engine import loops
from dafre_fast.engine.observers import watching
from dafre_fast.engine.originals import Originals, fetch_originals, table_of_originals
from dafre_fast.engine.plan import ask_catalogue, wanted_at
from dafre_fast.engine.work import make
from dafre_fast.sources.manners.hosts import PUBLIC_CONNECTIONS, PUBLIC_RATE, Reach, find_reach
from dafre_fast.tables.taking import take_rows

PROBES = 10
OpenIn = Callable[[Path], Originals]


def probe(rows: pl.DataFrame, open_in: OpenIn, recipe: Recipe) -> Probes:
    """Fetch and make a few of the `rows` (`engine.plan`) of a catalogue, and throw them away.
    `open_in` opens their source so that it fetches into a folder.

    Raises SourceError if the source must not be asked, OutputError if nothing can be written.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        outputs = {one: folder / one.tree for one in recipe.outputs}
        asked = ask_catalogue(take_rows(rows, Taking(sample=PROBES), "key"), outputs)
        fetched = _fetch(asked, open_in(folder / ORIGINALS), folder)
        made, seconds = _make(asked, fetched, recipe)
    return _means(fetched, made, seconds)


def _fetch(asked: pl.DataFrame, originals: Originals, folder: Path) -> list[Fetched]:
    fetched = list[Fetched]()

    async def take(_: Sought, one: Fetched) -> None:
        fetched.append(one)

    table = table_of_originals(asked, last_outcomes(b"", "fetch"), originals)
    with Ledger(folder / STATE) as ledger, watching("probes", silent) as watch:
        loops.run(fetch_originals(table, originals, ledger, watch, take))
    return fetched


def _make(
    asked: pl.DataFrame, fetched: Sequence[Fetched], recipe: Recipe
) -> tuple[list[Made], list[float]]:
    """Make the outputs of what was fetched in this process; return the outcomes and the seconds of
    CPU of each.
    """
    wanted, made, seconds = wanted_at(asked, recipe.outputs), list[Made](), list[float]()
    places = {key: place for place, key in enumerate(asked["key"])}
    for one in fetched:
        if one.path:
            image = replace(wanted(places[one.key]), original=one.path)
            began = time.process_time()
            made.append(make(recipe, recipe.hashes(), image))
            seconds.append(time.process_time() - began)
    return made, seconds


def _means(fetched: Sequence[Fetched], made: Sequence[Made], seconds: Sequence[float]) -> Probes:
    good = [one for one in made if one.reason is None]
    if not good:
        return Probes(len(fetched), 0)
    return Probes(
        tried=len(fetched),
        made=len(good),
        original_bytes=_mean([one.original_bytes or 0 for one in good]),
        output_bytes=_mean([sum(output.bytes for output in one.outputs) for one in good]),
        fetch_seconds=_mean([one.seconds or 0 for one in fetched]),
        cpu_seconds=_mean(sorted(seconds)[:-1] or seconds),  # one pays for imports and caches
    )


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def guess_seconds(
    probes: Probes, found: Simulation, fetching: Fetching, workers: Workers
) -> float | None:
    """Return how long all originals of `found` would take, by those that were tried; None if none
    of these was made.
    """
    if not probes.made:
        return None
    of_cpu = (found.images - found.nowhere) * probes.cpu_seconds
    of_hosts = (_seconds_at(place, probes, fetching) for place in found.places)
    fetches = sum(place.originals for place in found.places) * probes.fetch_seconds
    cores = workers.workers or usable_cores()
    return max(of_cpu / cores, fetches / fetching.connections, *of_hosts)


def _seconds_at(place: Place, probes: Probes, fetching: Fetching) -> float:
    """Return how long one host takes to send its originals, as it may be asked."""
    address = urlsplit(place.place)
    public = False
    if address.scheme in {"http", "https"} and address.hostname:
        public = loops.run(find_reach(address.hostname, 80)) is Reach.PUBLIC
    rate = fetching.rate or (PUBLIC_RATE if public else inf)
    usual = PUBLIC_CONNECTIONS if public else fetching.connections
    connections = min(fetching.connections_per_host or usual, fetching.connections)
    return place.originals * max(probes.fetch_seconds / connections, 1 / rate)
