"""Settings of tables: the files to read, and the rows to keep."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group, Share


class FacesTable(Group, frozen=True):
    """The table of head boxes."""

    faces: Annotated[
        Path, Meta(description="Table faces.tsv: path, tag id and head box in each row.")
    ]


class CatalogueTables(FacesTable, frozen=True):
    """The table of head boxes, and the names of its tags."""

    tag_ids: Annotated[Path, Meta(description="Table tagIds.tsv: tag name and tag id in each row.")]


class Tolerance(Group, frozen=True):
    """The share of bad rows that a table may have."""

    max_bad_rows: Annotated[
        Share, Meta(description="Stop if more than this share of a table's rows is malformed.")
    ] = 0.01


class Selection(Tolerance, frozen=True):
    """The rows of faces.tsv to keep."""

    min_confidence: Annotated[
        Share, Meta(description="Keep heads of at least this confidence.")
    ] = 0.85
    min_images: Annotated[Count, Meta(description="Keep classes of at least this many images.")] = (
        20
    )
