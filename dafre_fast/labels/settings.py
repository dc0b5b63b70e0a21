"""Settings of `labels` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class LabelsOutput(Group, frozen=True):
    """The output of `labels`."""

    output: Annotated[Path, Meta(description="Folder of the label files.")] = Path("labels")
