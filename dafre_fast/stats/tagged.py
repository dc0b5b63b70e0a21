"""Read tables of images and their tags in any of their formats.

These are CSV with a header and lists as Python writes them (`"['1 girl', 'solo']"`), as published
for DAF:re; Parquet with columns of lists; and Danbooru's metadata, either Parquet, whose
`tag_string_general`, `_copyright` and `_character` have names separated by blanks, or JSON lines
(`tables.posts`). Columns are found by name, in any order.
"""

import warnings
from ast import literal_eval
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.bad_rows import SCHEMA, refuse_too_many, table_name
from dafre_fast.tables.blocks import COMPRESSED
from dafre_fast.tables.marks import mark_repeats, when
from dafre_fast.tables.posts import SHAPE, organise
from dafre_fast.tables.record_files import PARQUET, becomes_text, read_records
from dafre_fast.tables.text import BOM, something_else
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

_BATCH_ROWS = 50_000
_NUMBERS = ("image_width", "image_height", "class_id")
_TAGS = {column(number): f"tag_string_{name}" for number, name in CATEGORIES.items()}
_SURPLUS = tuple(f"field {number} beyond the header" for number in range(1, 9))
"""Columns for fields beyond the header. polars drops those that come after so many empty ones."""

_IN_APOSTROPHES = r"'[^'\\\n\r\x00]*'"
_IN_QUOTES = r'"[^"\\\n\r\x00]*"'
_PLAIN_LIST = rf"^\[(?:{_IN_APOSTROPHES}(?:, {_IN_APOSTROPHES})*)?\]$"
_ANY = f"(?:{_IN_APOSTROPHES}|{_IN_QUOTES})"
_MIXED_LIST = rf"^\[(?:{_ANY}(?:, {_ANY})*)?\]$"


class Tagged(NamedTuple):
    """The rows of all tables. `rows` has the good ones, lazily: id int64, file_ext (lower case),
    image_width and image_height int64 (pixels), class_id int64 (all four null if unknown), and
    tags_cat0, tags_cat3 and tags_cat4 list[str], null if the table has no such column.

    `bad_rows` are as in `Catalogue.bad_rows`; in CSV and Parquet, a line is the number of a row
    below the header (from 1).
    """

    rows: pl.LazyFrame
    bad_rows: pl.DataFrame


def read_tagged(paths: Sequence[Path], max_bad_rows: float, scratch: Path) -> Tagged:
    """Read the tables one after the other. If an image has several good rows, the first counts.

    Lists are parsed once, into files in the folder `scratch`, from which `rows` reads. Raises
    InputError if a table cannot be read, has no good row, or has more bad rows than allowed.
    """
    tables, judged = list[pl.LazyFrame](), list[pl.DataFrame]()
    for number, path in enumerate(paths):
        with reading(path):
            rows = _read(path, scratch / str(number)).with_columns(table=pl.lit(number, pl.UInt32))
            # Ids of three million rows are small; the other columns stay on disk.
            of_table = rows.select("table", "line", "problem", "remark", "id")
            judged.append(of_table.collect(engine="streaming"))
            if judged[-1].is_empty():
                raise InputError(f"{path}: has no rows")
            tables.append(rows)
    # Whether two rows of an image say the same is not known here: only their ids are.
    again = RowProblem.DUPLICATE_ID
    places = mark_repeats(pl.concat(judged).sort("table", "line"), "id", again, equal=again)
    bad = places.drop_nulls("problem")
    listed = places.with_columns(problem=pl.coalesce("problem", "remark")).drop_nulls("problem")
    for number, path in enumerate(paths):
        bad_rows = _bad_rows(paths, listed.filter(table=number))
        refuse_too_many(path, bad_rows, judged[number].height, max_bad_rows)
        if bad.filter(table=number).height == judged[number].height:
            raise InputError(f"{path}: of {judged[number].height:,} rows none is good")
    good = pl.concat(tables)
    if not bad.is_empty():
        # By place, not by problem: else reading one column would judge all of them.
        good = good.join(bad.lazy(), on=["table", "line"], how="anti")
    return Tagged(good.select("id", "file_ext", *_NUMBERS, *_TAGS), _bad_rows(paths, listed))


def _bad_rows(paths: Sequence[Path], rows: pl.DataFrame) -> pl.DataFrame:
    names = pl.Series([table_name(path) for path in paths], dtype=pl.String)
    return rows.select(names.gather(rows["table"]).alias("table"), "line", "problem").cast(SCHEMA)  # type: ignore[arg-type]


def _read(path: Path, folder: Path) -> pl.LazyFrame:
    """Return the columns of `Tagged.rows`, `line`, `problem` and `remark` of a table in any format.
    All but Parquet is parsed into files in `folder`.
    """
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if head.startswith(PARQUET):
        return _judged(path, _scan_parquet(path))
    if not head.strip():
        raise InputError(f"{path}: is empty")
    if head.startswith(COMPRESSED) or head.removeprefix(BOM).lstrip().startswith(b"{"):
        posts = (_of_posts(block.lazy()) for block in read_records(path, SHAPE))
        return _stored(path, posts, folder)
    if kind := something_else(head):
        raise InputError(f"{path}: is {kind}; it must be Parquet, CSV, or lines of JSON")
    batches = _scan_csv(path).collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True)
    return _stored(path, (_judged(path, batch.lazy()) for batch in batches), folder)


def _stored(path: Path, rows: Iterable[pl.LazyFrame], folder: Path) -> pl.LazyFrame:
    """Write batches to files and scan these. A sink of polars would hold many rows in memory."""
    files = list[Path]()
    for batch in rows:
        files.append(folder / f"{len(files)}.parquet")
        write_parquet(batch.collect(engine="streaming"), files[-1])
    if not files:
        raise InputError(f"{path}: has no rows")
    return pl.scan_parquet(files, glob=False)


def _of_posts(posts: pl.LazyFrame) -> pl.LazyFrame:
    no_class = pl.lit(None, pl.Int64).alias("class_id")
    rest = ("file_ext", *_TAGS, "problem", "remark")
    return organise(posts).select("line", "id", "image_width", "image_height", no_class, *rest)


def _scan_parquet(path: Path) -> pl.LazyFrame:
    rows = pl.scan_parquet(path, glob=False)
    return rows.with_row_index("line", offset=1).with_columns(surplus=pl.lit(False))


def _scan_csv(path: Path) -> pl.LazyFrame:
    """Return all columns as text. `surplus` is true if a row has fields beyond the header. Blank
    lines are counted, but are not rows.
    """
    names = pl.read_csv(path, n_rows=0, infer_schema=False, truncate_ragged_lines=True).columns
    rows = pl.scan_csv(
        path,
        schema=dict.fromkeys([*names, *_SURPLUS], pl.String()),
        has_header=False,
        skip_rows=1,
        missing_columns="insert",
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
        glob=False,
    )
    return (
        rows.with_row_index("line", offset=1)
        .filter(~pl.all_horizontal(pl.col(*names, *_SURPLUS).is_null()))
        .with_columns(surplus=pl.any_horizontal(pl.col(*_SURPLUS).is_not_null()))
    )


def _judged(path: Path, rows: pl.LazyFrame) -> pl.LazyFrame:
    kinds = rows.collect_schema()
    if "id" not in kinds:
        raise InputError(f"{path}: has no column id")
    if not kinds.keys() & {*_TAGS, *_TAGS.values()}:
        raise InputError(f"{path}: has none of the columns {', '.join([*_TAGS, *_TAGS.values()])}")
    numbers = {name: _number(path, name, kinds) for name in ("id", *_NUMBERS)}
    tags = {name: _tags(path, name, kinds) for name in _TAGS}
    read = rows.select(
        "line",
        "surplus",
        **{f"{name} given": _is_given(name, kinds) for name in (*_NUMBERS, *_TAGS)},
        **numbers,
        file_ext=_text("file_ext", kinds).str.to_lowercase(),
        **tags,
    )
    found = read.with_columns(problem=_problem(), remark=pl.lit(None, pl.String))
    return found.drop("surplus", pl.selectors.ends_with(" given"))


def _problem() -> pl.Expr:
    """Return the first problem of a row, null for a good one."""
    sizes = ("image_width", "image_height")
    problems = (
        (pl.col("surplus"), RowProblem.EXTRA_COLUMNS),
        (pl.col("id").is_null(), RowProblem.BAD_ID),
        (pl.any_horizontal(_is_unread(name) for name in _TAGS), RowProblem.BAD_TAGS),
        (
            pl.any_horizontal(_is_unread(name) | (pl.col(name) == 0) for name in sizes),
            RowProblem.BAD_SIZE,
        ),
        (_is_unread("class_id"), RowProblem.BAD_CLASS_ID),
        (~pl.col("file_ext").str.contains("^[0-9a-z]{1,5}$"), RowProblem.BAD_EXTENSION),
    )
    return pl.coalesce(when(bad, problem) for bad, problem in problems)


def _is_unread(name: str) -> pl.Expr:
    return pl.col(f"{name} given") & pl.col(name).is_null()


def _is_given(name: str, kinds: pl.Schema) -> pl.Expr:
    """Return whether a row has a value to read. Every row of a column of lists has one."""
    if name in _TAGS:
        return pl.lit(name in kinds)
    return _text(name, kinds).is_not_null()


def _text(name: str, kinds: pl.Schema) -> pl.Expr:
    if name not in kinds or isinstance(kinds[name], pl.Null):
        return pl.lit(None, pl.String)
    return pl.col(name).cast(pl.String).replace("", None)


def _number(path: Path, name: str, kinds: pl.Schema) -> pl.Expr:
    """Return a column of numbers from 0 on, null if it has none. Floats count if they are whole:
    pandas makes floats of columns with missing numbers.
    """
    kind = kinds.get(name)
    if kind is not None and not becomes_text(kind):
        raise InputError(f"{path}: column {name} must hold numbers or text")
    digits = _text(name, kinds).str.extract(r"^0*([0-9]{1,18})(?:\.0+)?$")
    return digits.cast(pl.Int64)


def _tags(path: Path, name: str, kinds: pl.Schema) -> pl.Expr:
    kind, joined = kinds.get(name), _TAGS[name]
    if isinstance(kind, pl.List) and kind.inner in (pl.String(), pl.Null()):
        tags = pl.col(name).cast(pl.List(pl.String))
        return pl.when(~tags.list.contains(None)).then(tags)
    if isinstance(kind, pl.String):
        return _parse_lists(pl.col(name))
    if kind is not None:
        raise InputError(f"{path}: column {name} must hold lists of names, or text")
    if joined in kinds:
        return pl.col(joined).cast(pl.String).fill_null("").str.extract_all("[^ ]+")
    return pl.lit(None, pl.List(pl.String))


def _parse_lists(column: pl.Expr) -> pl.Expr:
    """Return the lists of names that Python wrote, null if it is not one. A list without
    backslashes is split at its quotes; Python itself parses the others.
    """
    # Bytes that were not UTF-8 became this character; no name has it.
    text = pl.when(~column.str.contains("\N{REPLACEMENT CHARACTER}", literal=True)).then(column)
    plain = pl.when(text.str.contains(_PLAIN_LIST)).then(text)
    mixed = pl.when(plain.is_null() & text.str.contains(_MIXED_LIST)).then(text)
    rest = pl.when(plain.is_null() & mixed.is_null()).then(text)
    inside = plain.str.slice(2).str.head(-2)
    quoted = mixed.str.extract_all(_ANY)
    nothing = pl.lit([], pl.List(pl.String))
    return pl.coalesce(
        pl.when(plain == "[]").then(nothing).otherwise(inside.str.split("', '")),
        quoted.list.eval(pl.element().str.slice(1).str.head(-1)),
        rest.map_batches(_evaluate, return_dtype=pl.List(pl.String), is_elementwise=True),
    )


def _evaluate(texts: pl.Series) -> pl.Series:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes that Python does not know, as in '\m/'
        found = [None if text is None else _evaluate_one(text) for text in texts]
    return pl.Series(texts.name, found, pl.List(pl.String))


def _evaluate_one(text: str) -> list[str] | None:
    try:
        found = literal_eval(text)
        if isinstance(found, list) and all(isinstance(name, str) for name in found):
            "".join(found).encode()  # half of a surrogate pair is no text
            return found
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    return None
