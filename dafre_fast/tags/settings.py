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
            description="Danbooru's metadata: JSON or Parquet; files, folders or tar archives.",
        ),
    ]
    labels: Annotated[
        tuple[Path, ...],
        Meta(
            description="Label files (class_id,path), or a folder of train, val and test.csv."
            " Default: one table of all posts that are kept."
        ),
    ] = ()
    output: Annotated[Path, Meta(description="Folder of the tables.")] = Path("labels")
    manifest: Annotated[
        Path | None, Meta(description="Manifest for --filter-exist and --filter-opened.")
    ] = None
    filter_exist: Annotated[
        bool, Meta(description="Leave out posts without an original in the manifest.")
    ] = False
    filter_opened: Annotated[
        bool, Meta(description="Leave out posts without an RGB image in the manifest.")
    ] = False
