"""Settings of `lists` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class ListsRun(Group, frozen=True):
    """Inputs and outputs of `lists`."""

    labels: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="Label files (class_id,path), or a folder of train, val and test.csv.",
        ),
    ]
    files: Annotated[
        Path | None,
        Meta(description="The mirror's files, a path per line. Default: rsync lists --source."),
    ] = None
    output: Annotated[Path, Meta(description="Folder of the lists.")] = Path("lists")
    source: Annotated[
        str | None,
        Meta(description="Download the files from rsync://host/module/… or https://host/{name}."),
    ] = None
    sizes: Annotated[
        tuple[Literal["original", "512px"], ...],
        Meta(min_length=1, description="Trees to download."),
    ] = ("original",)
    originals: Annotated[Path, Meta(description="Folder to download the tree original to.")] = Path(
        "original"
    )
    small: Annotated[Path, Meta(description="Folder to download the tree 512px to.")] = Path(
        "512px"
    )
