"""The rows of an index that a term of a question asks for.

Names are looked up in lists of row numbers (postings), columns of the manifest are read and
compared; the masks of the last terms are kept.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache

import numpy as np
import polars as pl
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.core.errors import UsageError
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.gallery.answers import RIGHT, WRONG
from dafre_fast.gallery.index import (
    DATES,
    NO_DATE,
    Column,
    Index,
    RowNumbers,
    date_columns,
    ordered_columns,
    squeezed,
)
from dafre_fast.gallery.language import MARK, NAMED, VERDICT, Term, named
from dafre_fast.gallery.verdicts import NONE, TOGETHER, Judged
from dafre_fast.gallery.view import REFUSED

Mask = NDArray[np.bool_]

KINDS = ("class", *TAG_KINDS)
"""Kinds of names that a bare word may be of."""
_SIDES = {"original": Column.ORIGINAL, "head": Column.HEAD}
_MOST_WORDS = 6
"""Words of the longest name that is recognised without `_`."""
_NEAREST, _COMPARED = 8, 3_000


class Wrong(Struct, frozen=True):
    """A term that nothing fits, and those that are nearest to it."""

    term: Term
    nearest: Sequence[Term]


def resolve(index: Index, terms: Sequence[Term]) -> tuple[Term, ...]:
    """Join words that together are one name of the dataset (`1 girl`), and take a term for a name
    whose field is no column (`re:zero`).
    """
    found, rest = list[Term](), [*terms]
    while rest:
        first = rest.pop(0)
        if first.field and first.field not in fields(index):
            first = _as_name(index, first) or first
        words = [first.value] if first.is_word else []
        for term in rest[: _MOST_WORDS - 1] if words else []:
            if not term.is_word or term.excluded:
                break
            words.append(term.value)
        for length in range(len(words), 1, -1):
            if _is_name(index, joined := "_".join(words[:length])):
                first = Term("", joined, "=", first.excluded)
                del rest[: length - 1]
                break
        found.append(_canonical(index, first))
    return tuple(dict.fromkeys(found))


def _canonical(index: Index, term: Term) -> Term:
    """Return the term that links have for the name that a term means, if that is one name."""
    if term.operator != "=" or term.field not in ("", *KINDS):
        return term
    rows = _named(index, term)
    if rows.height != 1:
        return term
    found = term_of(rows.row(0, named=True))
    return found.opposite if term.excluded else found


def _as_name(index: Index, term: Term) -> Term | None:
    name = str(Term(term.field, term.value, term.operator))
    return Term("", name, "=", term.excluded) if _is_name(index, name) else None


def _is_name(index: Index, name: str) -> bool:
    return not _named(index, Term("", name)).is_empty()


def wrong(index: Index, terms: Sequence[Term]) -> list[Wrong]:
    """Return the terms that nothing fits, as there is no such name or column, with the nearest."""
    return [*_wrong(index, terms)]


def _wrong(index: Index, terms: Sequence[Term]) -> Iterator[Wrong]:
    for term in terms:
        if term.field and term.field not in (known := fields(index)):
            near = get_close_matches(term.field, known, _NEAREST, 0.5)
            yield Wrong(
                term, [Term(name, term.value, term.operator, term.excluded) for name in near]
            )
        elif term.field in ("", *KINDS) and _named(index, term).is_empty():
            yield Wrong(term, _nearest(index, term))


def fields(index: Index) -> list[str]:
    """Return all fields that a question may have."""
    own = ["probability"] if index.answers else []
    columns = [name for name in index.rows.collect_schema() if name != "class"]
    dates = ["date"] if any(name in columns for name in DATES) else []
    return list(dict.fromkeys([*NAMED, *_SIDES, *own, *dates, *columns]))


def _nearest(index: Index, term: Term) -> list[Term]:
    kinds = [term.field] if term.field else [*KINDS]
    names = index.terms.filter(pl.col("kind").is_in(kinds))
    sought = pl.select(squeezed(pl.lit(term.value))).item()
    containing = names.filter(pl.col("squeezed").str.contains(sought, literal=True))
    if sought and not containing.is_empty():
        found = containing.sort("images", descending=True).head(_NEAREST)
    else:
        length = pl.col("squeezed").str.len_chars().cast(pl.Int64)
        similar = names.filter((length - len(sought)).abs() <= 2).sort("images", descending=True)
        known = similar["squeezed"].head(_COMPARED).to_list()
        near = get_close_matches(sought, known, _NEAREST, 0.6)
        order = {name: place for place, name in enumerate(near)}
        found = names.filter(pl.col("squeezed").is_in(near))
        found = found.sort(pl.col("squeezed").replace_strict(order, default=0), maintain_order=True)
    return [
        Term(one.field, one.value, "=", term.excluded)
        for row in found.head(_NEAREST).iter_rows(named=True)
        for one in [term_of(row)]
    ]


def term_of(row: dict[str, object]) -> Term:
    """Return the shortest term for a row of the terms of an index."""
    field = "" if row["alone"] and row["kind"] in KINDS and row["kind"] != "class" else row["kind"]
    return named(str(field), str(row["name"]))


def mask_of(index: Index, terms: Sequence[Term]) -> Mask:
    """Return the rows that meet all terms, bool (rows,). Raises UsageError for a term that cannot
    be met by any dataset, such as `width:>wide`.
    """
    mask = np.ones(index.grid.shape[1], np.bool_)
    for term in terms:
        plain = Term(term.field, term.value, term.operator)
        of_people = {MARK: _marked, VERDICT: _judged}.get(term.field)
        having = of_people(index, plain) if of_people else _having(index, plain)
        mask &= ~having if term.excluded else having
    return mask


@lru_cache(maxsize=64)
def _having(index: Index, term: Term) -> Mask:
    mask = _computed(index, term)
    mask.flags.writeable = False
    return mask


def _computed(index: Index, term: Term) -> Mask:
    if term.field in ("", "class", "split", "status", *TAG_KINDS):
        return _with_name(index, term)
    if term.field == "answer":
        return _answered(index, term)
    if term.field in _SIDES:
        sides = pl.Series(term.field, index.grid[_SIDES[term.field]])
        return _compared(sides.to_frame().lazy(), term) & (sides.to_numpy() > 0)
    if term.field == "probability" and index.answers:
        known = pl.Series("probability", index.answers.probability).fill_nan(None)
        return _compared(known.to_frame().lazy(), term)
    field = _date_column(index, term.field)
    if field in (dated := date_columns(index.rows)):
        dates = pl.Series(term.field, index.dates[dated.index(field)])
        known = dates.replace(NO_DATE, None).cast(pl.Datetime("us"))
        return _compared(known.to_frame().lazy(), term)
    if term.operator == "none" and field in (ordered := ordered_columns(index.rows)):
        return np.asarray(index.ranks[ordered.index(field)] == 0)
    return _compared(index.rows, replace(term, field=field))


def _date_column(index: Index, field: str) -> str:
    """Return the column that a field means: for `date` the first column of dates, if any."""
    columns = index.rows.collect_schema()
    return next((name for name in DATES if name in columns), field) if field == "date" else field


def _with_name(index: Index, term: Term) -> Mask:
    if (term.field, term.value) == ("status", REFUSED):
        return ~_with_name(index, Term("status", SUCCESS))
    mask, named = np.zeros(index.grid.shape[1], np.bool_), _named(index, term)
    if named["images"].sum() > len(mask):  # as a form may ask for
        return _with_any(index, named)
    for start, images in named.select("start", "images").iter_rows():
        mask[index.postings[start : start + images]] = True
    return mask


def _with_any(index: Index, named: pl.DataFrame) -> Mask:
    """Return the rows that have any of so many names that their postings are longer than a look at
    all names of all rows.
    """
    wanted = np.isin(index.terms["start"].to_numpy(), named["start"].to_numpy())
    mask: Mask = np.zeros(index.grid.shape[1], np.bool_)
    for line in (Column.CLASS, Column.SPLIT, Column.STATUS):
        mask |= wanted[index.grid[line]]
    kinds = {*named["kind"]}
    for kind, starts in zip(TAG_KINDS, index.tag_starts, strict=True):
        tagged = np.flatnonzero(starts[1:] > starts[:-1])
        if kind in kinds and len(tagged):
            found = wanted[index.tags[starts[0] : starts[-1]]]
            mask[tagged] |= np.logical_or.reduceat(found, starts[tagged] - starts[0])
    return mask


def listed(index: Index, row: dict[str, object]) -> RowNumbers:
    """Return the row numbers of a row of the terms of an index."""
    start, images = row["start"], row["images"]
    assert isinstance(start, int)
    assert isinstance(images, int)
    return index.postings[start : start + images]


@lru_cache(maxsize=256)
def _named(index: Index, term: Term) -> pl.DataFrame:
    """Return the rows of the terms of an index that a term names."""
    kinds = [term.field] if term.field else [*KINDS]
    if term.operator == "~":
        form = ".*".join(re.escape(part) for part in re.split(r"\*+", _squeezed(term.value)))
        fits = pl.col("squeezed").str.contains(f"^{form}$")
    else:
        fits = pl.col("squeezed") == _squeezed(term.value)
    return index.terms.filter(pl.col("kind").is_in(kinds) & fits)


def _squeezed(text: str) -> str:
    return str(pl.select(squeezed(pl.lit(text))).item())


def _marked(index: Index, term: Term) -> Mask:
    """Return the rows with a mark. It is asked for anew each time, as marks change."""
    mask = np.zeros(index.grid.shape[1], np.bool_)
    form = re.compile(".*".join(map(re.escape, re.split(r"\*+", _squeezed(term.value)))))
    for name in index.marks.names() if index.marks else ():
        fits = form.fullmatch if term.operator == "~" else _squeezed(term.value).__eq__
        if index.marks and fits(_squeezed(name)):
            mask[index.rows_of(index.marks.of(name))] = True
    return mask


def _judged(index: Index, term: Term) -> Mask:
    """Return the rows on which people say together what a term asks for."""
    if term.value not in TOGETHER:
        raise UsageError(f"{term}: must be one of {', '.join(TOGETHER)}")
    found = _said(index, index.revision())
    wanted = found.ids[found.together == term.value] if term.value != NONE else found.ids
    mask = np.zeros(index.grid.shape[1], np.bool_)
    mask[index.rows_of(wanted)] = True
    return ~mask if term.value == NONE else mask


@lru_cache(maxsize=2)
def _said(index: Index, _revision: int) -> Judged:
    return Judged.of(index.verdicts())


def _answered(index: Index, term: Term) -> Mask:
    if index.answers is None:
        raise UsageError("answer: no --model is given, whose answers are asked for")
    if term.value in {RIGHT, WRONG}:
        return np.asarray(index.answers.right == (term.value == RIGHT))
    places = np.flatnonzero(
        index.answers.names.to_frame()
        .select(squeezed(pl.col("answer")) == _squeezed(term.value))
        .to_series()
        .to_numpy()
    )
    return np.isin(index.answers.answer, places)


def _compared(rows: pl.LazyFrame, term: Term) -> Mask:
    """Return the rows whose value in a column meets a term; false where there is no value."""
    fits = _expression(rows, term).fill_null(value=False)
    height = rows.select(pl.len()).collect().item()
    size = max(1, -(-height // pl.thread_pool_size()))
    parts = [rows.slice(start, size).select(fits) for start in range(0, height, size)]
    found = [part.to_series().to_numpy() for part in pl.collect_all(parts)]  # one on each core
    return np.concatenate([np.zeros(0, np.bool_), *found])


def _expression(rows: pl.LazyFrame, term: Term) -> pl.Expr:
    schema, name = rows.collect_schema(), term.field
    if name not in schema:
        raise UsageError(f"{name}: there is no such column")
    value, kind = pl.col(name), schema[name]
    if term.operator == "none":
        return value.is_null()
    if kind.is_temporal():
        return _timed(value.cast(pl.Datetime("us")), term)
    if kind.is_numeric():
        return _measured(value, kind, term)
    if kind == pl.Boolean:
        return value == _one_of(term, {"true": True, "yes": True, "false": False, "no": False})
    if isinstance(kind, pl.List) and not kind.inner.is_nested():
        return value.cast(pl.List(pl.String)).list.contains(_only(term, "="))
    if kind == pl.String:
        return _written(value, term)
    raise UsageError(f"{name}: this column cannot be asked for")


def _only(term: Term, *operators: str) -> str:
    if term.operator not in operators:
        raise UsageError(f"{term}: this column has no order")
    return term.value


def _one_of(term: Term, values: dict[str, bool]) -> bool:
    if _only(term, "=").lower() not in values:
        raise UsageError(f"{term}: must be one of {', '.join(values)}")
    return values[term.value.lower()]


def _measured(value: pl.Expr, kind: pl.DataType, term: Term) -> pl.Expr:
    def number(text: str) -> pl.Expr:
        try:
            found = float(text)
        except ValueError:
            raise UsageError(f"{term}: {text!r} is no number") from None
        if kind.is_integer() and re.fullmatch("-?[0-9]{1,18}", text):
            return pl.lit(int(text))
        # A number as it is written is nearest to that of the column, as 0.9 to its float32.
        return pl.lit(found, pl.Float32 if kind == pl.Float32 else pl.Float64)

    return _ordered(value, term, number)


def _timed(value: pl.Expr, term: Term) -> pl.Expr:
    def first(text: str) -> pl.Expr:
        return pl.lit(_span(term, text)[0]).cast(pl.Datetime("us"))

    def after(text: str) -> pl.Expr:
        return pl.lit(_span(term, text)[1]).cast(pl.Datetime("us"))

    match term.operator:
        case "=":
            return (value >= first(term.value)) & (value < after(term.value))
        case ">":
            return value >= after(term.value)
        case "<=":
            return value < after(term.value)
        case "..":
            low, high = term.value.split("..", 1)
            return _both(
                value >= first(low) if low else None, value < after(high) if high else None
            )
    return _ordered(value, term, first)


def _span(term: Term, text: str) -> tuple[dt.date, dt.date]:
    """Return the first day of a year, month or day, and that of the next."""
    parts = re.fullmatch(r"(\d{4})(?:-(\d\d?))?(?:-(\d\d?))?", text, re.ASCII)
    try:
        if parts:
            year, month, day = (int(part) if part else None for part in parts.groups())
            begin = dt.date(year or 0, month or 1, day or 1)
            if day:
                return begin, begin + dt.timedelta(days=1)
            later = begin.year * 12 + begin.month - 1 + (1 if month else 12)
            return begin, dt.date(later // 12, later % 12 + 1, 1)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{term}: {text!r} is no date such as 2024, 2024-05 or 2024-05-31")


def _written(value: pl.Expr, term: Term) -> pl.Expr:
    if term.operator == "~":
        form = ".*".join(re.escape(part) for part in re.split(r"\*+", term.value))
        return value.str.contains(f"(?s)^{form}$")
    return _ordered(value, term, pl.lit)


def _ordered(value: pl.Expr, term: Term, literal: Callable[[str], pl.Expr]) -> pl.Expr:
    match term.operator:
        case "=":
            return value == literal(term.value)
        case "<":
            return value < literal(term.value)
        case "<=":
            return value <= literal(term.value)
        case ">":
            return value > literal(term.value)
        case ">=":
            return value >= literal(term.value)
        case "..":
            low, high = term.value.split("..", 1)
            return _both(
                value >= literal(low) if low else None, value <= literal(high) if high else None
            )
    raise UsageError(f"{term}: this column has no text")


def _both(one: pl.Expr | None, other: pl.Expr | None) -> pl.Expr:
    found = [each for each in (one, other) if each is not None]
    return pl.all_horizontal(found)
