"""Lines on where originals would come from."""

from collections.abc import Iterator

from dafre_fast.core.summaries import Simulation
from dafre_fast.views.summary import columns

_MOST_PLACES = 20


def lines_of_simulation(found: Simulation) -> Iterator[str]:
    """Give the lines of a simulation for people: the twenty places with the most originals."""
    rows = [(one.place, one.originals, one.bytes, one.unknown) for one in found.places]
    if further := rows[_MOST_PLACES:]:
        sums = (sum(column) for column in list(zip(*further, strict=True))[1:])
        rows = [*rows[:_MOST_PLACES], (f"{len(further):,} further places", *sums)]
    if rows:
        yield from columns(("from", "originals", "bytes", "of unknown size"), rows)
    fetched, size, unknown = (
        sum(getattr(one, name) for one in found.places)
        for name in ("originals", "bytes", "unknown")
    )
    yield (
        f"{found.images:,} images = {fetched:,} to fetch + {found.there:,} there already"
        f" + {found.refused:,} refused before + {found.nowhere:,} nowhere"
    )
    more = f" and {unknown:,} originals of unknown size" if unknown else ""
    yield f"to fetch: {size / 1e6:,.1f} MB{more}"
