"""Settings of `verify` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import STORES, Group


class VerifyRun(Group, frozen=True):
    """Settings of a verification: the folder, how thorough it is, and whether files are removed."""

    output: Annotated[
        Path,
        Meta(
            description="Folder of a dataset, or of full images or head crops alone, or"
            " s3://BUCKET/PREFIX of a dataset.",
            extra=STORES,
        ),
    ] = Path("dataset")
    manifest: Annotated[
        Path | None,
        Meta(
            description="Its manifest. Default: manifest.parquet in that folder, if there is one."
        ),
    ] = None
    deep: Annotated[bool, Meta(description="Decode every output, too.")] = False
    remove: Annotated[
        bool,
        Meta(
            description="Remove damaged and orphaned files; run the command again to remake them."
        ),
    ] = False
    json: Annotated[bool, Meta(description="Print every finding as JSON.")] = False
