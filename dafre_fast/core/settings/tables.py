"""Settings of tables: the files to read, and the rows to keep."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.groups import Count, Group, Share

Protocol = Literal["shares", "files", "drawn"]
"""The rule of the split: shares of each class, files of ids, or a draw from all images."""


class FacesTable(Group, frozen=True):
    """The table of head boxes."""

    faces: Annotated[
        Path, Meta(description="Table faces.tsv: path, tag id and head box in each row.")
    ]


class CatalogueTables(FacesTable, frozen=True):
    """The table of head boxes, and the names of its tags."""

    tag_ids: Annotated[Path, Meta(description="Table tagIds.tsv: tag name and tag id in each row.")]


BadShare = Annotated[
    Share, Meta(description="Stop if more than this share of a table's rows is malformed.")
]


class Tolerance(Group, frozen=True):
    """The share of bad rows that a table may have."""

    max_bad_rows: BadShare = 0.01


class Taking(Group, frozen=True):
    """How many rows to take; without these, all.

    Raises UsageError if both are given.
    """

    limit: Annotated[
        Count | None, Meta(description="Take the first so many rows. Go on with a larger number.")
    ] = None
    sample: Annotated[
        Count | None,
        Meta(description="Take so many rows at random; a larger number adds to the same ones."),
    ] = None
    seed: Annotated[int, Meta(ge=0, description="Seed of --sample.")] = 0

    def __post_init__(self) -> None:
        if self.limit and self.sample:
            raise UsageError("--limit and --sample exclude each other")

    @property
    def words(self) -> str:
        """Words for what is taken, empty for all rows."""
        if self.sample:
            return f"{self.sample:,} at random (seed {self.seed})"
        return f"first {self.limit:,}" if self.limit else ""


class Selection(Taking, frozen=True):
    """The rows of faces.tsv to keep."""

    max_bad_rows: BadShare = 0.01
    min_confidence: Annotated[
        Share, Meta(description="Keep heads of at least this confidence.")
    ] = 0.85
    min_images: Annotated[
        Count | None,
        Meta(
            description="Keep classes of at least this many images. Default: 20, or 1 where"
            " --splits or --split-seed decides the split."
        ),
    ] = None


class AnyTable(Group, frozen=True):
    """A table of addresses in place of faces.tsv; columns have their usual names, or are named."""

    table: Annotated[
        str | None,
        Meta(
            description="CSV, TSV, Parquet, JSON lines or lines of addresses: a file, URL, hf: or"
            " s3://."
        ),
    ] = None
    url_column: Annotated[str | None, Meta(description="Addresses. Default: url, …")] = None
    key_column: Annotated[
        str | None, Meta(description="Names of images, any text. Default: key, id; else addresses.")
    ] = None
    class_column: Annotated[
        str | None, Meta(description="Classes. Default: class, class_name, label; else none.")
    ] = None
    split_column: Annotated[
        str | None, Meta(description="train, val or test. Default: split; else by shares.")
    ] = None
    box_columns: Annotated[
        tuple[str, ...],
        Meta(description="Edges of a box as shares. Default: left, top, right, bottom; else none."),
    ] = ()
    md5_column: Annotated[str | None, Meta(description="MD5 of originals. Default: md5.")] = None
    caption_column: Annotated[str | None, Meta(description="Captions. Default: caption, text.")] = (
        None
    )


class Splitting(Group, frozen=True):
    """How images are split; without these, by shares of each class, as in DAF:re."""

    splits: Annotated[
        Path | None,
        Meta(
            description="Folder of trainSplit.tsv, valSplit.tsv and testSplit.tsv, an id per line."
        ),
    ] = None
    split_seed: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Draw --val-images and --test-images from all images with this seed."),
    ] = None
    val_images: Annotated[Count, Meta(description="Images to draw for val.")] = 10_000
    test_images: Annotated[Count, Meta(description="Images to draw for test.")] = 10_000

    @property
    def protocol(self) -> Protocol:
        """The protocol of the split."""
        if self.splits:
            return "files"
        return "shares" if self.split_seed is None else "drawn"

    def complete(self, selection: Selection) -> Selection:
        """Return a selection with the least number of images that this protocol has."""
        least = _LEAST_OF_DAFRE if self.protocol == "shares" else 1
        return replace(selection, min_images=selection.min_images or least)


_LEAST_OF_DAFRE = 20
"""The least number of images of a class in DAF:re; the first dataset had no such rule."""
