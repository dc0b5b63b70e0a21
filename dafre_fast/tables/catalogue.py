"""The catalogue: the rows of faces.tsv that the dataset is made of, with class and split.

Classes with enough images get class ids 0, 1, 2, … in the order of their tag ids. Unless files or a
draw decide the split (`tables.splits`): of the n images
of a class, in file order, the first `int(n * 0.7)` are train, the next up to
`int(n * (0.7 + 0.1))` val, and the rest test. The floating-point arithmetic is that of the
published split: 0.7 + 0.1 is 0.7999999999999999, so 20 images make 14 / 1 / 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.splits import SPLITS
from dafre_fast.core.summaries import Step
from dafre_fast.tables.bad_rows import refuse_too_many
from dafre_fast.tables.faces import EDGES, read_faces
from dafre_fast.tables.image_paths import image_paths
from dafre_fast.tables.marks import bad_rows_of, is_good, mark_repeats, when
from dafre_fast.tables.splits import by_draw, by_files, by_shares
from dafre_fast.tables.tag_ids import read_tags
from dafre_fast.tables.taking import take_rows

BY_SHARES = Splitting()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The rows of a dataset, the funnel that led to them, and the rows that were bad.

    `kept` has a row per image, class by class and in file order within a class: id int64, path
    (`0446/332446.jpg`), tag_id int64, class_id int64, class_name (null without names), split,
    left, top, right, bottom (shares of the oriented picture) and confidence float32.

    `bad_rows` has the bad rows of all tables, in the order of their lines: table (the name of its
    file), line uint32 (from 1), problem (a `RowProblem`).
    """

    kept: pl.DataFrame
    funnel: Sequence[Step]
    bad_rows: pl.DataFrame


def read_catalogue(
    faces: Path, tag_ids: Path | None, selection: Selection, splitting: Splitting = BY_SHARES
) -> Catalogue:
    """Read the tables, select rows and assign splits.

    If an image has several rows, the first that is sure enough counts; the others are bad. Of the
    rows left, those that are to be taken keep the class ids and splits of all. Raises
    InputError if a table cannot be read or has more bad rows than allowed, or no row is left.
    """
    selection = splitting.complete(selection)
    least = selection.min_images or 1
    rows, tags, bad_rows = read_faces(faces), None, []
    if tag_ids:
        tags = read_tags(tag_ids)
        bad_rows = [_set_aside(tag_ids, selection.max_bad_rows, tags)]
        rows = mark_unknown(rows.lazy(), tags).collect()
    sure = confident(rows.lazy(), selection.min_confidence).collect()
    sure = mark_repeats(sure, "id", RowProblem.DUPLICATE_ID)
    bad_rows.insert(0, _set_aside(faces, selection.max_bad_rows, rows, sure))
    listed = sure.filter(is_good)
    if splitting.splits:
        listed, bad_splits = by_files(listed, faces, splitting.splits, selection.max_bad_rows)
        bad_rows.append(bad_splits)
    split = _split(listed, splitting, least).collect()
    kept = with_names(take_rows(split, selection).lazy(), tags).collect()
    if kept.is_empty():
        raise InputError(
            f"{faces}: of {rows.height:,} rows none is left at confidence >= "
            f"{selection.min_confidence} in a class of >= {least} images;"
            " lower --min-confidence or --min-images"
        )
    classes = rows.filter(pl.col("tag_id") >= 0)["tag_id"].n_unique()
    funnel = [
        Step("rows of faces.tsv", rows.height, classes),
        _step(f"confidence >= {selection.min_confidence}", sure.lazy().filter(is_good)),
        *([_step("listed in --splits", listed.lazy())] if splitting.splits else []),
        _step(f"classes of >= {least} images", split.lazy()),
        *([_step(selection.words, kept.lazy())] if selection.words else []),
        *(_step(split, kept.lazy().filter(split=split)) for split in SPLITS),
    ]
    return Catalogue(kept, funnel, pl.concat(bad_rows))


def confident(rows: pl.LazyFrame, min_confidence: float) -> pl.LazyFrame:
    """Return the good rows of at least this confidence. It is compared as float32, the type of the
    column, so that a row with exactly this confidence is kept.
    """
    return rows.filter(is_good, pl.col("confidence") >= pl.lit(min_confidence, dtype=pl.Float32))


def mark_unknown(rows: pl.LazyFrame, tags: pl.DataFrame) -> pl.LazyFrame:
    """Mark the good rows whose tag has no good row in tagIds.tsv."""
    known = pl.col("tag_id").is_in(tags.filter(is_good)["tag_id"].implode())
    unknown = when(is_good & ~known, RowProblem.UNKNOWN_TAG_ID)
    return rows.with_columns(problem=pl.coalesce("problem", unknown))


def large_classes(rows: pl.LazyFrame, min_images: int) -> pl.LazyFrame:
    """Return the good rows of the classes that have at least `min_images` good rows."""
    return rows.filter(is_good).filter(pl.len().over("tag_id") >= min_images)


def with_class_ids(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Sort rows by class and add `class_id`, from 0."""
    in_order = rows.sort("tag_id", maintain_order=True)
    return in_order.with_columns(class_id=pl.col("tag_id").rle_id().cast(pl.Int64))


def _split(listed: pl.DataFrame, splitting: Splitting, least: int) -> pl.LazyFrame:
    """Return the rows of the classes with at least `least` images, with `class_id` and `split`."""
    rows = with_class_ids(large_classes(listed.lazy(), least))
    if splitting.protocol == "shares":
        return by_shares(rows)
    if splitting.protocol == "drawn":
        return by_draw(rows.collect(), splitting).lazy()
    return rows


def with_names(rows: pl.LazyFrame, tags: pl.DataFrame | None) -> pl.LazyFrame:
    """Return the columns of `Catalogue.kept`: with the name of the class and the image's path."""
    if tags is None:
        named = rows.with_columns(class_name=pl.lit(None, dtype=pl.String))
    else:
        names = tags.lazy().filter(is_good).select("tag_id", "class_name")
        named = rows.join(names, on="tag_id", how="left", maintain_order="left")
    of_class = ("tag_id", "class_id", "class_name", "split")
    return named.select("id", image_paths().alias("path"), *of_class, *EDGES, "confidence")


def _step(name: str, rows: pl.LazyFrame) -> Step:
    return Step(name, *rows.select(pl.len(), pl.col("tag_id").n_unique()).collect().row(0))


def _set_aside(
    path: Path, at_most: float, rows: pl.DataFrame, *later: pl.DataFrame
) -> pl.DataFrame:
    """Return the bad rows of a table: those of `rows`, all that it has, and those marked later.

    Raises InputError if they are more than the share `at_most`.
    """
    found = pl.concat(bad_rows_of(path, table) for table in (rows, *later)).sort("line")
    refuse_too_many(path, found, rows.height, at_most)
    return found
