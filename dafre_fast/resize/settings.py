"""Settings of `resize` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class ResizeRun(Group, frozen=True):
    """Folders of the originals and of the full images."""

    input: Annotated[
        Path, Meta(description="Folder of originals, or a text file with a path per line.")
    ] = Path("original")
    output: Annotated[Path, Meta(description="Folder of the full images.")] = Path("fullMin256")
    manifest: Annotated[Path | None, Meta(description="Parquet file with a row per original.")] = (
        None
    )
