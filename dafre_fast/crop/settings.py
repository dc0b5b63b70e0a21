"""Settings of `crop` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class CropRun(Group, frozen=True):
    """Folders of the originals and of the head crops."""

    input: Annotated[Path, Meta(description="Folder of originals.")] = Path("original")
    output: Annotated[Path, Meta(description="Folder of the face crops.")] = Path("faces")
    manifest: Annotated[Path | None, Meta(description="Parquet file with a row per head.")] = None
