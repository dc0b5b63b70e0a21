"""Settings of `crop` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class HeadsTable(Group, frozen=True):
    """The table of head boxes: one of these two."""

    faces: Annotated[
        Path | None, Meta(description="Table faces.tsv: path, tag id and head box in each row.")
    ] = None
    all_heads: Annotated[
        Path | None,
        Meta(description="Table heads.parquet of `heads`: cut {id}_{n}.jpg for every box in it."),
    ] = None


class CropRun(Group, frozen=True):
    """Folders of the originals and of the head crops."""

    input: Annotated[Path, Meta(description="Folder of originals.")] = Path("original")
    output: Annotated[Path, Meta(description="Folder of the face crops.")] = Path("faces")
    manifest: Annotated[Path | None, Meta(description="Parquet file with a row per head.")] = None
