"""Print the result of packing, as text or as JSON."""

from collections.abc import Iterator

from dafre_fast.core.summaries import Packed
from dafre_fast.views import show as shown
from dafre_fast.views.summary import columns


def show(packed: Packed, *, as_json: bool) -> None:
    """Print it to standard output."""
    shown.show(packed, _lines(packed), as_json=as_json)


def _lines(found: Packed) -> Iterator[str]:
    for what, counts in (("refused before", found.refused), ("damaged", found.damaged)):
        if counts:
            yield from columns((what, "images"), [*counts.items()])
    if found.damaged_list:
        yield f"all damaged images: {found.damaged_list}"
    refused, damaged = sum(found.refused.values()), sum(found.damaged.values())
    yield (
        f"{found.images:,} images = {found.packed:,} packed + {refused:,} refused before"
        f" + {damaged:,} damaged" + (f" + {found.excluded:,} excluded" if found.excluded else "")
    )
    yield (
        f"{found.folder}: {found.written:,} written, {found.kept:,} kept,"
        f" {found.bytes / 1e6:,.1f} MB; {found.seconds:,.1f} s, {found.cpu_seconds:,.1f} s of CPU"
    )
