"""Settings of `download` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class Listing(Group, frozen=True):
    """The table of what to fetch: this, or --table."""

    faces: Annotated[
        Path | None, Meta(description="Table faces.tsv: path, tag id and head box in each row.")
    ] = None


class DownloadRun(Group, frozen=True):
    """Source and folder of the originals."""

    source: Annotated[
        str | None,
        Meta(
            description="Originals: https://host/{bucket}/{id}.{ext}, archives, hf:, rsync:, …;"
            " with --table where relative addresses begin."
        ),
    ] = None
    output: Annotated[Path, Meta(description="Folder of the originals.")] = Path("original")
    manifest: Annotated[Path | None, Meta(description="Parquet file with a row per original.")] = (
        None
    )
    simulate: Annotated[
        bool,
        Meta(description="Say what would be fetched and from where; fetch and write nothing."),
    ] = False
