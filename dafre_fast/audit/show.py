"""Print the result of an audit, as text or as JSON."""

from collections.abc import Iterator

from dafre_fast.audit.records import Audit
from dafre_fast.views import show as shown
from dafre_fast.views.findings import table
from dafre_fast.views.summary import columns


def show(audit: Audit, *, as_json: bool) -> None:
    """Print it."""
    shown.show(audit, _lines(audit), as_json=as_json)


def _lines(audit: Audit) -> Iterator[str]:
    found = audit.duplicates
    if audit.refused:
        yield from table(audit.refused)
    if found.groups:
        splits = {**found.within, **found.across}
        yield from columns(("duplicates in", "groups"), splits.items())
        yield from columns(("leaked", "images"), found.leaked.items())
        yield from columns(("left out for one in", "images"), _named(audit))
        yield (
            f"{found.groups:,} groups of {found.images:,} images, {found.exact:,} of them of the"
            f" same bytes as another; {found.other_class:,} groups of several classes"
        )
        yield (
            f"largest distance in a group: {found.largest_distance} bits;"
            f" {found.chained:,} groups are chains, beyond {audit.distance}"
        )
    else:
        yield f"no duplicates: no two hashes within {audit.distance} bits, no bytes twice"
    yield (
        f"{audit.images:,} images = {audit.compared:,} compared + {audit.not_made:,} not made"
        f" + {len(audit.refused):,} not as recorded; {audit.plain:,} of them too plain for a"
        " hash, compared by their bytes alone"
    )
    yield (
        f"{audit.seconds:,.1f} s, {audit.compared / audit.seconds:,.1f} images/s;"
        f" {audit.compared / audit.cpu_seconds_of_hashing:,.1f} hashed per CPU-second"
    )


def _named(audit: Audit) -> Iterator[tuple[str, int]]:
    for why, images in audit.duplicates.left_out.items():
        yield why.replace("_", " "), images
