"""Read tables of images and their tags from several formats into rows of one form.

The formats, whose columns are found by name in any order:
- CSV with a header and lists as Python prints them (`"['1 girl', 'solo']"`), like the files
  published for DAF:re;
- Parquet with columns of lists;
- Danbooru's metadata in all its forms (`tables.post_shape`).
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
from dafre_fast.tables.json_texts import PARQUET, may_be_records
from dafre_fast.tables.marks import bad_rows_of, mark_repeats, when
from dafre_fast.tables.post_shape import SHAPE, TAG_FIELDS, TEXTS
from dafre_fast.tables.posts import organise
from dafre_fast.tables.record_files import Table, read_records, tables_of
from dafre_fast.tables.text import something_else
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

_BATCH_ROWS = 50_000
_NUMBERS = ("image_width", "image_height", "class_id")
_TAGS = tuple(map(column, CATEGORIES))
_SURPLUS = tuple(f"field {number} beyond the header" for number in range(1, 9))
"""Names of the columns for fields beyond the header. Polars drops fields beyond these."""

_IN_APOSTROPHES = r"'[^'\\\n\r\x00]*'"
_IN_QUOTES = r'"[^"\\\n\r\x00]*"'
_PLAIN_LIST = rf"^\[(?:{_IN_APOSTROPHES}(?:, {_IN_APOSTROPHES})*)?\]$"
_ANY = f"(?:{_IN_APOSTROPHES}|{_IN_QUOTES})"
_MIXED_LIST = rf"^\[(?:{_ANY}(?:, {_ANY})*)?\]$"


class Tagged(NamedTuple):
    """The rows of several tables: the good ones, and a list of those set aside.

    `rows`, read lazily: id (int64), file_ext (str, lower case), image_width and image_height
    (int64, pixels), class_id (int64), and tags_cat0, tags_cat3, tags_cat4 (list[str]). All but the
    id may be null: a value that is unknown, or tags that the table has no column for.

    `bad_rows`, columns as in `Catalogue.bad_rows`. The line of a row of CSV or Parquet is its
    number below the header, counted from 1.
    """

    rows: pl.LazyFrame
    bad_rows: pl.DataFrame


def read_tagged(paths: Sequence[Path], max_bad_rows: float, scratch: Path) -> Tagged:
    """Read tables of tags, one after the other. The first good row of an image counts.

    Text is parsed once, into files of the folder `scratch`, which `rows` reads. `max_bad_rows` is
    the share (0 to 1) of malformed rows that a table may have. Raises InputError for a table that
    cannot be read, has no good row, or has more malformed rows than that.
    """
    tables = tables_of(paths)
    read, judged = list[pl.LazyFrame](), list[pl.DataFrame]()
    for number, table in enumerate(tables):
        with reading(table.path):
            rows = _read(table, scratch / str(number))
            rows = rows.with_columns(table=pl.lit(number, pl.UInt32)).with_row_index("place")
            # The ids of three million rows fit into memory; other columns stay on disk.
            of_table = rows.select("place", "table", "file", "line", "problem", "remark", "id")
            judged.append(of_table.collect(engine="streaming"))
            if judged[-1].is_empty():
                raise InputError(f"{table.path}: has no rows")
            read.append(rows)
    # Only ids are compared, so that it is unknown whether two rows of an image are equal.
    again = RowProblem.DUPLICATE_ID
    places = mark_repeats(pl.concat(judged), "id", again, equal=again)
    bad = places.drop_nulls("problem")
    reported = places.with_columns(pl.coalesce("problem", "remark").alias("problem"))
    reported = reported.drop_nulls("problem")
    for number, table in enumerate(tables):
        bad_rows = bad_rows_of(table.path, reported.filter(table=number))
        refuse_too_many(table.path, bad_rows, judged[number].height, max_bad_rows)
        if bad.filter(table=number).height == judged[number].height:
            raise InputError(f"{table.path}: none of its {judged[number].height:,} rows is good")
    good = pl.concat(read)
    if not bad.is_empty():
        # Rows are left out by their place: a query that reads one column need not check all.
        good = good.join(bad.lazy(), on=["table", "place"], how="anti")
    all_bad = bad_rows_of(tables[0].path, reported).cast(SCHEMA)  # type: ignore[arg-type]
    return Tagged(good.select("id", "file_ext", *_NUMBERS, *_TAGS), all_bad)


def _read(table: Table, folder: Path) -> pl.LazyFrame:
    """Return the columns of `Tagged.rows`, `file`, `line`, `problem` and `remark` of a table of any
    format.

    Text is parsed into files in `folder`.
    """
    path = table.path
    if len(table.files) > 1:
        return _posts(table, folder)
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if head.startswith(PARQUET):
        kinds = pl.scan_parquet(path, glob=False).collect_schema()
        if not kinds.keys() & {*_TAGS} and kinds.keys() & {*TAG_FIELDS}:
            return _posts(table, folder)
        return _judged(path, _scan_parquet(path))
    if not head.strip():
        raise InputError(f"{path}: is empty")
    if may_be_records(head):
        return _posts(table, folder)
    if kind := something_else(head):
        raise InputError(f"{path}: is {kind}; it must be Parquet, CSV or JSON")
    batches = _scan_csv(path).collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True)
    return _stored(path, (_judged(path, batch.lazy()) for batch in batches), folder)


def _posts(table: Table, folder: Path) -> pl.LazyFrame:
    blocks = (_of_posts(block.lazy()) for block in read_records(table, SHAPE))
    return _stored(table.path, blocks, folder)


def _stored(path: Path, rows: Iterable[pl.LazyFrame], folder: Path) -> pl.LazyFrame:
    """Write `rows` batch by batch: a polars sink would keep many of them in memory."""
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
    return organise(posts).select(
        "file", "line", "id", "image_width", "image_height", no_class, *rest
    )


def _scan_parquet(path: Path) -> pl.LazyFrame:
    rows = pl.scan_parquet(path, glob=False)
    return rows.with_row_index("line", offset=1).with_columns(surplus=pl.lit(False))


def _scan_csv(path: Path) -> pl.LazyFrame:
    """Return the columns of a CSV as text, `line`, and `surplus`: true if fields exceed the header.

    Blank lines are counted in `line`, but give no rows.
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
    if not kinds.keys() & {*_TAGS}:
        wanted = ", ".join([*_TAGS, *TEXTS])
        raise InputError(f"{path}: has none of the columns {wanted}")
    numbers = {name: _number(path, name, kinds) for name in ("id", *_NUMBERS)}
    tags = {name: _tags(path, name, kinds) for name in _TAGS}
    read = rows.select(
        pl.lit(table_name(path)).alias("file"),
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
    """Return the first problem of a row; null for a good row."""
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
    """Return whether a row has a value to read. A column of tags has one in every row."""
    if name in _TAGS:
        return pl.lit(name in kinds)
    return _text(name, kinds).is_not_null()


def _text(name: str, kinds: pl.Schema) -> pl.Expr:
    if name not in kinds or isinstance(kinds[name], pl.Null):
        return pl.lit(None, pl.String)
    return pl.col(name).cast(pl.String).replace("", None)


def _number(path: Path, name: str, kinds: pl.Schema) -> pl.Expr:
    """Return a column as whole numbers from 0; null for other values.

    Whole floats are accepted: pandas writes a column of integers with holes as floats.
    """
    kind = kinds.get(name)
    if kind is not None and (kind.is_nested() or isinstance(kind, (pl.Binary, pl.Boolean))):
        raise InputError(f"{path}: its column {name} holds neither numbers nor text")
    digits = _text(name, kinds).str.extract(r"^0*([0-9]{1,18})(?:\.0+)?$")
    return digits.cast(pl.Int64)


def _tags(path: Path, name: str, kinds: pl.Schema) -> pl.Expr:
    kind = kinds.get(name)
    if isinstance(kind, pl.List) and kind.inner in (pl.String(), pl.Null()):
        tags = pl.col(name).cast(pl.List(pl.String))
        return pl.when(~tags.list.contains(None)).then(tags)
    if isinstance(kind, pl.String):
        return _parse_lists(pl.col(name))
    if kind is not None:
        raise InputError(f"{path}: its column {name} holds neither lists of names nor text")
    return pl.lit(None, pl.List(pl.String))


def _parse_lists(column: pl.Expr) -> pl.Expr:
    """Return lists of names from text as Python prints them; null for other text.

    Lists without backslashes are split at their quotes; Python itself reads the others.
    """
    # The replacement character is where bytes were not UTF-8: no name has it.
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
        warnings.simplefilter("ignore")  # about escapes unknown to Python, as in '\m/'
        found = [None if text is None else _evaluate_one(text) for text in texts]
    return pl.Series(texts.name, found, pl.List(pl.String))


def _evaluate_one(text: str) -> list[str] | None:
    try:
        found = literal_eval(text)
        if isinstance(found, list) and all(isinstance(name, str) for name in found):
            return [_join_surrogates(name) for name in found]
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    return None


def _join_surrogates(name: str) -> str:
    """Return `name` with each pair of surrogates (JSON's escape for an emoji) as one character.

    Raises UnicodeDecodeError for an unpaired surrogate: UTF-8 cannot hold it.
    """
    return name.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
