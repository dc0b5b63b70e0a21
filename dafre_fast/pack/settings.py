"""Settings of `pack` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import (
    STORES,
    Count,
    ExcludeList,
    Group,
    MarkNames,
    OnlyList,
    ShardSize,
)


class PackRun(Group, frozen=True):
    """Dataset, format and folder of the pack."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    format: Annotated[
        Literal["tar", "webdataset", "parquet", "hf", "img2dataset"],
        Meta(
            description="tar: archives as first published; hf: a folder for Hugging Face datasets;"
            " img2dataset: shards as that writes them."
        ),
    ] = "webdataset"
    images: Annotated[
        str,
        Meta(
            description="Images to pack: full, faces, another output by its name, or both, which is"
            " all that the dataset has."
        ),
    ] = "both"
    shard_size: ShardSize = 10_000
    shuffle: Annotated[
        bool,
        Meta(description="Shuffle the images of a split, the same way every time."),
    ] = True
    only: OnlyList = None
    exclude: ExcludeList = None
    mark: MarkNames = ()
    into: Annotated[
        Path | None,
        Meta(
            description="Folder of the pack, or s3://BUCKET/PREFIX. Default: packs/FORMAT-IMAGES.",
            extra=STORES,
        ),
    ] = None
    title: Annotated[
        str | None,
        Meta(description="Name of the dataset in its card. Default: that of its folder."),
    ] = None
    description: Annotated[
        str, Meta(description="Text on the dataset for its card, in Markdown.")
    ] = ""
    workers: Annotated[
        Count | None,
        Meta(description="Worker processes, which write a shard each. Default: the usable cores."),
    ] = None
