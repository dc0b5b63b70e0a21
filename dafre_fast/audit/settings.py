"""Settings of `audit` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class AuditRun(Group, frozen=True):
    """Dataset of the audit, what counts as a duplicate, and which of them stays."""

    output: Annotated[Path, Meta(description="Folder of a dataset.")] = Path("dataset")
    distance: Annotated[
        int,
        Meta(ge=0, le=63, description="Most of 256 bits in which hashes of duplicates differ."),
    ] = 48
    keep: Annotated[
        Literal["test", "train", "largest"],
        Meta(
            description="Of duplicates, leave out those of train before val before test, the other"
            " way round, or whatever the split those of the smaller originals."
        ),
    ] = "test"
