"""Settings of `full` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import STORES, Group, ShardSize
from dafre_fast.heads.settings import Candidates


class FullRun(Group, frozen=True):
    """Inputs, output and parts of the run; without inputs, a sample is drawn and served."""

    faces: Annotated[
        Path | None,
        Meta(description="faces.tsv. Without inputs, a drawn sample."),
    ] = None
    tag_ids: Annotated[Path | None, Meta(description="tagIds.tsv, needed with --faces.")] = None
    source: Annotated[
        str | None,
        Meta(
            description="Originals: https://host/{bucket}/{id}.{ext}, a folder, archives, …; with"
            " --table where relative addresses begin."
        ),
    ] = None
    tags: Annotated[
        bool, Meta(description="Tables of tags and their statistics, where --metadata tells tags.")
    ] = True
    report: Annotated[bool, Meta(description="End with a report: report/index.html.")] = True
    pack: Annotated[
        Literal["webdataset"] | None,
        Meta(description="Put images straight into shards (packs/webdataset-both): no trees."),
    ] = None
    into: Annotated[
        Path | None,
        Meta(
            description="Object store for shards, labels and records: s3://BUCKET/PREFIX.",
            extra=STORES,
        ),
    ] = None
    compat: Annotated[
        Literal["img2dataset"] | None,
        Meta(description="Write shards as img2dataset does, too: packs/img2dataset-both."),
    ] = None
    shard_size: ShardSize = 10_000
    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    dry_run: Annotated[
        bool,
        Meta(description="Say what would be read, fetched and made; make and write nothing."),
    ] = False
    probe: Annotated[
        bool, Meta(description="With --dry-run: try ten originals, to guess sizes and time.")
    ] = False


class Search(Candidates, frozen=True):
    """Posts to search for heads with --detector; without these, all with one character tag."""

    ratings: Annotated[
        tuple[str, ...],
        Meta(
            description="Ratings of posts to keep: s meant safe until 2021, g since. Default: s,g"
            " for tags, all for heads."
        ),
    ] = ()
    tag_ids: Annotated[
        Path | None,
        Meta(description="tagIds.tsv, needed with --faces. With --detector, its ids are kept."),
    ] = None
