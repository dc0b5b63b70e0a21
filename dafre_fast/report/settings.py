"""Settings of `report` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class ReportRun(Group, frozen=True):
    """Dataset of the report, and how much of it is shown."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    title: Annotated[
        str | None, Meta(description="Name of the dataset. Default: that of its folder.")
    ] = None
    seed: Annotated[
        int, Meta(ge=0, le=2**32 - 1, description="Which images are shown follows from it.")
    ] = 1
    sheet: Annotated[
        int, Meta(ge=1, le=400, description="Images on each contact sheet, at most.")
    ] = 50
    labelled: Annotated[
        int, Meta(ge=0, le=100, description="Of these, as many are shown with their labels.")
    ] = 20
    classes: Annotated[
        int, Meta(ge=1, le=200, description="Classes that are listed, the largest first.")
    ] = 24
    examples: Annotated[
        int, Meta(ge=0, le=20, description="Examples of each reason of a refusal.")
    ] = 3
    pairs: Annotated[
        int, Meta(ge=0, le=200, description="Pairs of duplicates, where an audit found some.")
    ] = 12
