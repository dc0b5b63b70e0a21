"""Settings of `audit` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class AuditRun(Group, frozen=True):
    """Dataset of the audit, what counts as a duplicate, and which of them stays."""

    output: Annotated[Path, Meta(description="Folder of a dataset.")] = Path("dataset")
    into: Annotated[
        Path | None, Meta(description="Folder of the findings. Default: audit in the dataset.")
    ] = None
    distance: Annotated[
        int,
        Meta(
            ge=0, le=63, description="Most bits (of 256) in which the hashes of duplicates differ."
        ),
    ] = 48
    keep: Annotated[
        Literal["test", "train", "largest"],
        Meta(
            description="Duplicates to keep: those of test before val before train, those of train"
            " first, or those with the largest original in any split."
        ),
    ] = "test"
