"""Decide in which split an image is: by shares of its class, by files of ids, or by a draw.

The first dataset, Danbooru2018 Anime Character Recognition, has a split of its own: a post id per
line in trainSplit.tsv, valSplit.tsv and testSplit.tsv. It was drawn from all images, whatever
their class, and its seed was never published.
"""

from pathlib import Path

import numpy as np
import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.settings.tables import Splitting
from dafre_fast.core.splits import SPLITS, TEST, TRAIN, TRAIN_SHARE, VAL, VAL_SHARE
from dafre_fast.tables.bad_rows import refuse_too_many
from dafre_fast.tables.blocks import read_lines
from dafre_fast.tables.marks import bad_rows_of, is_good, mark_repeats, when
from dafre_fast.tables.path_columns import problems_of_text, stripped


def by_shares(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Split each class in file order, as published (`tables.catalogue`). `rows` has `class_id`."""
    images, place = pl.len().over("class_id"), pl.int_range(pl.len()).over("class_id")
    return rows.with_columns(
        split=pl.when(place < (images * TRAIN_SHARE).cast(pl.Int64))
        .then(pl.lit(TRAIN))
        .when(place < (images * (TRAIN_SHARE + VAL_SHARE)).cast(pl.Int64))
        .then(pl.lit(VAL))
        .otherwise(pl.lit(TEST))
    )


def by_draw(rows: pl.DataFrame, splitting: Splitting) -> pl.DataFrame:
    """Draw val and test from all rows, in the order of their ids, so that the same images with the
    same seed have the same split. Raises InputError if there are too few.
    """
    assert splitting.split_seed is not None
    val, test = splitting.val_images, splitting.test_images
    if rows.height <= val + test:
        raise InputError(
            f"{rows.height:,} images are left, too few to draw {val:,} for val and {test:,} for"
            " test; lower --val-images and --test-images"
        )
    drawn = np.random.Generator(np.random.PCG64(splitting.split_seed)).permutation(rows.height)
    names = [TEST] * test + [VAL] * val + [TRAIN] * (rows.height - val - test)
    ids = pl.DataFrame({"id": rows["id"].sort().gather(drawn), "split": names})
    return rows.join(ids, on="id", how="left", maintain_order="left")


def by_files(
    rows: pl.DataFrame, table: Path, folder: Path, max_bad_rows: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows as the files in a folder say; rows that are in no file are left out.

    `rows` has `id` and `line`, and comes from the file `table`. Also returns bad rows: those of the
    files, ids without a row among them, and the rows that are in no file.

    Raises InputError if a file is missing, cannot be read, or has too many bad rows.
    """
    files = split_files(folder)
    listed = pl.concat(_read(path, split, max_bad_rows) for split, path in files.items())
    listed = mark_repeats(listed, "id", RowProblem.OTHER_SPLIT)
    no_row = when(is_good & ~pl.col("id").is_in(rows["id"].implode()), RowProblem.NO_ROW)
    listed = listed.with_columns(problem=pl.coalesce("problem", no_row))
    bad_rows = [bad_rows_of(path, listed.filter(split=split)) for split, path in files.items()]
    splits = listed.filter(is_good).select("id", "split")
    found = rows.join(splits, on="id", how="left", maintain_order="left")
    no_split = found.with_columns(problem=when(pl.col("split").is_null(), RowProblem.NO_SPLIT))
    bad_rows.append(bad_rows_of(table, no_split))
    return found.filter(pl.col("split").is_not_null()), pl.concat(bad_rows)


def split_files(folder: Path) -> dict[str, Path]:
    """Return the files of ids in a folder by their split, each plain or compressed."""
    return {split: _found(folder / f"{split}Split.tsv") for split in SPLITS}


def _found(path: Path) -> Path:
    compressed = (path.with_name(path.name + suffix) for suffix in _COMPRESSED)
    return next((one for one in (path, *compressed) if one.exists()), path)


_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


def read_ids(path: Path) -> pl.DataFrame:
    """Return `line`, `id` and `problem` of every line of a file of ids, one id per line, plain or
    compressed; an id that is there already is a problem, too. Raises InputError if the file cannot
    be read.
    """
    rows = pl.concat(_judged(lines.lazy()).collect() for lines in read_lines(path))
    return mark_repeats(rows, "id", RowProblem.DUPLICATE_ID)


def _read(path: Path, split: str, max_bad_rows: float) -> pl.DataFrame:
    """Return `line`, `id`, `problem` and `split` of a file of ids. Raises as `by_files` does."""
    rows = pl.concat(_judged(lines.lazy()).collect() for lines in read_lines(path))
    refuse_too_many(path, bad_rows_of(path, rows), rows.height, max_bad_rows)
    return rows.with_columns(pl.lit(split).alias("split"))


def _judged(lines: pl.LazyFrame) -> pl.LazyFrame:
    number = stripped(pl.col("text")).str.extract("^([0-9]{1,18})$").cast(pl.Int64)
    return lines.select(
        "line",
        id=number,
        problem=pl.coalesce(*problems_of_text(), when(number.is_null(), RowProblem.BAD_ID)),
    )
