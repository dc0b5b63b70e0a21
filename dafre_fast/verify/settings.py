"""Settings of `verify` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class VerifyRun(Group, frozen=True):
    """What is verified, how thoroughly, and what is done about it."""

    output: Annotated[
        Path, Meta(description="Folder of a dataset, or of full images or face crops alone.")
    ] = Path("dataset")
    manifest: Annotated[
        Path | None, Meta(description="Its manifest. Default: manifest.parquet in it, if any.")
    ] = None
    deep: Annotated[bool, Meta(description="Decode every output as well.")] = False
    remove: Annotated[
        bool,
        Meta(description="Remove damaged and orphaned files; what made them makes them anew."),
    ] = False
    json: Annotated[bool, Meta(description="Print every finding as JSON.")] = False
