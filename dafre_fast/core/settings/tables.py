"""Settings of tables: which rows are read and kept."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group, Share


class FacesTable(Group, frozen=True):
    """Which table of heads."""

    faces: Annotated[Path, Meta(description="faces.tsv: path, tag id and head box per row.")]


class CatalogueTables(FacesTable, frozen=True):
    """Which table of heads, and which names of tags."""

    tag_ids: Annotated[Path, Meta(description="tagIds.tsv: tag name and tag id per row.")]


class Tolerance(Group, frozen=True):
    """How much may be wrong with a table."""

    max_bad_rows: Annotated[
        Share, Meta(description="Share of malformed rows of a table above which the run stops.")
    ] = 0.01


class Selection(Tolerance, frozen=True):
    """Which rows of faces.tsv are kept."""

    min_confidence: Annotated[Share, Meta(description="Least confidence of a head.")] = 0.85
    min_images: Annotated[Count, Meta(description="Least images of a class.")] = 20
