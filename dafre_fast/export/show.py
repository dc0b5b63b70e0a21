"""Print the result of `export`, as text or as JSON."""

from collections.abc import Iterator

from dafre_fast.export.run import Exported
from dafre_fast.views import show as shown
from dafre_fast.views.summary import columns


def show(exported: Exported, *, as_json: bool) -> None:
    """Print it to standard output."""
    shown.show(exported, _lines(exported), as_json=as_json)


def _lines(found: Exported) -> Iterator[str]:
    for what, counts in (("refused before", found.refused), ("damaged", found.damaged)):
        if counts:
            yield from columns((what, "images"), [*counts.items()])
    refused, damaged = sum(found.refused.values()), sum(found.damaged.values())
    yield (
        f"{found.images:,} images = {found.exported:,} exported + {refused:,} refused before"
        f" + {damaged:,} damaged" + (f" + {found.excluded:,} excluded" if found.excluded else "")
    )
    splits = ", ".join(f"{images:,} {split}" for split, images in found.splits.items())
    linked = f"; {found.linked:,} hard links" if found.linked else ""
    yield f"{found.folder}: {splits}; {found.boxes:,} with a box{linked}; {found.seconds:,.1f} s"
