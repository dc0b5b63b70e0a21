"""The catalogue: the rows of faces.tsv that make the dataset, with class and split.

Classes stand in ascending tag id; those with enough images get class ids 0, 1, 2, … Within a
class, in file order, of n images the first `int(n * 0.7)` are train, up to `int(n * (0.7 + 0.1))`
val, the rest test. The floating-point arithmetic is that of the published split: 0.7 + 0.1 is
0.7999999999999999, so 20 images make 14 / 1 / 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dafre_fast.model.errors import InputError
from dafre_fast.model.reason import RowProblem
from dafre_fast.model.settings import Selection
from dafre_fast.model.summary import Problem, Step
from dafre_fast.tables.faces import EDGES, read_faces, scan_tsv

TRAIN_SHARE, VAL_SHARE = 0.7, 0.1
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Kept rows and how they came about.

    `kept` has a row per image, class by class and in file order within a class: id int64, path
    (`0446/332446.jpg`), tag_id int64, class_id int64, class_name (null without names), split,
    left, top, right, bottom and confidence float32.
    """

    kept: pl.DataFrame
    funnel: Sequence[Step]
    problems: Sequence[Problem]


def read_catalogue(faces: Path, tag_ids: Path | None, selection: Selection) -> Catalogue:
    """Read, select and split. Raises InputError for an unreadable table, more malformed rows than
    allowed, or a selection that leaves nothing.
    """
    rows = read_faces(faces)
    names = scan_tag_names(tag_ids).collect() if tag_ids else None
    sure = mark_problems(confident(rows.lazy(), selection.min_confidence), names).collect()
    problems = _problems(rows, sure)
    _check_problems(faces, rows.height, problems, selection.max_bad_rows)
    large = large_classes(sure.lazy(), selection.min_images)
    kept = with_names(with_split(large), names).collect()
    if kept.is_empty():
        raise InputError(
            f"{faces}: of {rows.height:,} rows none is left at confidence >= "
            f"{selection.min_confidence} in a class of >= {selection.min_images} images"
        )
    good = rows.lazy().filter(pl.col("problem").is_null()).select("tag_id")
    funnel = [
        _step("rows of faces.tsv", good, extra=rows["problem"].count()),
        _step(f"confidence >= {selection.min_confidence}", sure.lazy().filter(_is_good)),
        _step(f"classes of >= {selection.min_images} images", kept.lazy()),
        *(_step(split, kept.lazy().filter(split=split)) for split in SPLITS),
    ]
    return Catalogue(kept, funnel, problems)


_is_good = pl.col("problem").is_null()


def scan_tag_names(path: Path) -> pl.LazyFrame:
    """tagIds.tsv: class_name and tag_id int64, one row per tag id."""
    names = scan_tsv(path, "class_name", "tag_id")
    return (
        names.select("class_name", tag_id=pl.col("tag_id").cast(pl.Int64, strict=False))
        .drop_nulls()
        .unique("tag_id", keep="first", maintain_order=True)
    )


def confident(rows: pl.LazyFrame, min_confidence: float) -> pl.LazyFrame:
    """Good rows whose head is sure enough; compared as float32, the type of the column, so that a
    row at the very bar is in.
    """
    return rows.filter(_is_good, pl.col("confidence") >= pl.lit(min_confidence, dtype=pl.Float32))


def mark_problems(rows: pl.LazyFrame, names: pl.DataFrame | None) -> pl.LazyFrame:
    """Mark what can only be seen with other rows: a second row of an id, a tag without name."""
    twice = ~pl.col("id").is_first_distinct()
    known = pl.lit(True) if names is None else pl.col("tag_id").is_in(names["tag_id"].implode())
    return rows.with_columns(
        problem=pl.when(twice)
        .then(pl.lit(RowProblem.DUPLICATE_ID.value))
        .when(~known)
        .then(pl.lit(RowProblem.UNKNOWN_TAG_ID.value))
    )


def large_classes(rows: pl.LazyFrame, min_images: int) -> pl.LazyFrame:
    """Good rows of the classes that have at least `min_images` of them."""
    return rows.filter(_is_good).filter(pl.len().over("tag_id") >= min_images)


def with_split(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Class by class: `class_id` and `split`, as published."""
    images, place = pl.len().over("class_id"), pl.int_range(pl.len()).over("class_id")
    return (
        rows.sort("tag_id", maintain_order=True)
        .with_columns(class_id=pl.col("tag_id").rle_id().cast(pl.Int64))
        .with_columns(
            split=pl.when(place < (images * TRAIN_SHARE).cast(pl.Int64))
            .then(pl.lit("train"))
            .when(place < (images * (TRAIN_SHARE + VAL_SHARE)).cast(pl.Int64))
            .then(pl.lit("val"))
            .otherwise(pl.lit("test"))
        )
    )


def with_names(rows: pl.LazyFrame, names: pl.DataFrame | None) -> pl.LazyFrame:
    """The columns of `Catalogue.kept`: the class's name and the image's path join."""
    bucket = (pl.col("id") % 1000 + 10_000).cast(pl.String).str.tail(4)
    path = pl.concat_str(bucket, pl.lit("/"), pl.col("id").cast(pl.String), pl.lit(".jpg"))
    if names is None:
        named = rows.with_columns(class_name=pl.lit(None, dtype=pl.String))
    else:
        named = rows.join(names.lazy(), on="tag_id", how="left", maintain_order="left")
    of_class = ("tag_id", "class_id", "class_name", "split")
    return named.select("id", path.alias("path"), *of_class, *EDGES, "confidence")


def _step(name: str, rows: pl.LazyFrame, extra: int = 0) -> Step:
    images, classes = rows.select(pl.len(), pl.col("tag_id").n_unique()).collect().row(0)
    return Step(name, images + extra, classes)


def _problems(*tables: pl.DataFrame) -> list[Problem]:
    found = (
        pl.concat(table.lazy().select("line", "problem").drop_nulls() for table in tables)
        .group_by("problem")
        .agg(pl.len(), pl.col("line").min())
        .sort("problem")
        .collect()
    )
    return [Problem(*row) for row in found.iter_rows()]


def _check_problems(faces: Path, rows: int, problems: Sequence[Problem], max_share: float) -> None:
    bad = sum(problem.rows for problem in problems)
    if bad / rows > max_share:
        worst = max(problems, key=lambda problem: problem.rows)
        raise InputError(
            f"{faces}: {bad:,} of {rows:,} rows are malformed (at most {max_share:.2%} may be); "
            f"most often {worst.problem}, first in line {worst.first_line}"
        )
