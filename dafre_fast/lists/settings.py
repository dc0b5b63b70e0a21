"""Settings of `lists` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class ListsRun(Group, frozen=True):
    """What is looked for in which list, and whether it is fetched as well."""

    labels: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="Label files (class_id,path), or a folder of train, val and test.csv.",
        ),
    ]
    files: Annotated[
        Path | None,
        Meta(description="The mirror's files, a path per line. Without it, rsync lists --source."),
    ] = None
    output: Annotated[Path, Meta(description="Folder of the lists.")] = Path("lists")
    source: Annotated[
        str | None,
        Meta(description="Fetch what is listed: rsync://host/module/…, or https://host/{name}."),
    ] = None
    sizes: Annotated[
        tuple[Literal["original", "512px"], ...],
        Meta(min_length=1, description="Which trees are fetched."),
    ] = ("original",)
    originals: Annotated[Path, Meta(description="Folder for the tree original.")] = Path("original")
    small: Annotated[Path, Meta(description="Folder for the tree 512px.")] = Path("512px")
