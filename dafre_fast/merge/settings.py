"""Settings of `merge` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class MergeRun(Group, frozen=True):
    """Output of the parts."""

    output: Annotated[
        Path, Meta(description="The --output of the parts: a dataset, or a folder of images.")
    ] = Path("dataset")
