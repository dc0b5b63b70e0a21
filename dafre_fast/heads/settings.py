"""Settings of `heads` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class Candidates(Group, frozen=True):
    """The posts to search for heads; without these, all with one character tag."""

    ratings: Annotated[
        tuple[str, ...], Meta(description="Ratings of posts to keep, such as s g. Default: all.")
    ] = ()
    without: Annotated[
        tuple[Literal["pending", "flagged", "deleted", "banned"], ...],
        Meta(description="Leave out posts with any of these flags."),
    ] = ()
    several_characters: Annotated[
        bool,
        Meta(
            description="Search posts with several character tags, too: their heads are in"
            " heads.parquet alone."
        ),
    ] = False
    tag_ids: Annotated[
        Path | None,
        Meta(description="tagIds.tsv whose ids are kept; new tags get ids behind them."),
    ] = None


class HeadsRun(Group, frozen=True):
    """Inputs and outputs of `heads`."""

    source: Annotated[
        str, Meta(description="Originals: https://host/{bucket}/{id}.{ext}, a folder, archives, …")
    ]
    output: Annotated[
        Path, Meta(description="Folder of faces.tsv, tagIds.tsv and heads.parquet.")
    ] = Path("heads")
    evaluate: Annotated[
        Path | None, Meta(description="Judge the heads found by the boxes of this faces.tsv.")
    ] = None
