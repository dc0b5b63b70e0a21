"""Settings of `tags` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group


class TagsRun(Group, frozen=True):
    """Metadata, labels, and the folder of the tables of tags."""

    metadata: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="Danbooru's metadata: files or folders of JSON lines (.gz, .zst, .xz).",
        ),
    ]
    labels: Annotated[
        tuple[Path, ...],
        Meta(
            description="Label files (class_id,path), or a folder of train, val and test.csv."
            " Without them there is one table of all posts that are kept."
        ),
    ] = ()
    output: Annotated[Path, Meta(description="Folder of the tables.")] = Path("labels")
    manifest: Annotated[
        Path | None, Meta(description="What --filter-exist and --filter-opened ask.")
    ] = None
    filter_exist: Annotated[
        bool, Meta(description="Leave out posts whose original the manifest does not have.")
    ] = False
    filter_opened: Annotated[
        bool, Meta(description="Leave out posts of which the manifest has no RGB image.")
    ] = False
