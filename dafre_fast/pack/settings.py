"""Settings of `pack` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group, ShardSize


class PackRun(Group, frozen=True):
    """Dataset, format and folder of the pack."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    format: Annotated[
        Literal["tar", "webdataset", "parquet", "hf"],
        Meta(description="Archives as first published, or shards; hf: for Hugging Face datasets."),
    ] = "webdataset"
    images: Annotated[
        Literal["full", "faces", "both"], Meta(description="Which images of each.")
    ] = "both"
    shard_size: ShardSize = 10_000
    shuffle: Annotated[
        bool,
        Meta(description="Mix the images of a split, always in the same way, or class by class."),
    ] = True
    exclude: Annotated[
        Path | None,
        Meta(description="CSV of ids to leave out, such as the audit's: audit/exclude.csv."),
    ] = None
    into: Annotated[
        Path | None,
        Meta(description="Folder of the pack. Default: packs/FORMAT-IMAGES in the dataset."),
    ] = None
    workers: Annotated[
        Count | None,
        Meta(description="Worker processes, a shard at a time each. Default: the usable cores."),
    ] = None
