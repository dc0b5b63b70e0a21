"""Read the values of fields as they are found in metadata: numbers as text, flags as numbers,
names in lists or in one text.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import polars as pl

from dafre_fast.core.reasons import RowProblem

_FLAGS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False, "": None}
_COMMA = re.compile(r",(?!_)")
"""A comma between names; that of `kaede,_the_fox` is part of one."""
_BLANKS = re.compile(r"[ \t\r\n]+")


class BadRecord(Exception):
    """A record that cannot be read, for the reason `problem`."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(problem)
        self.problem = problem


def is_missing(value: object) -> bool:
    """Return whether a field has no value: null, or NaN, with which pandas fills holes."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def as_text(value: object, problem: RowProblem) -> str | None:
    """Return a text, number or flag as text, None if it is missing; whole numbers have no point.

    Raises BadRecord with `problem` for any other value.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (int, Decimal)):
        return str(value)
    if isinstance(value, bytes):
        return _decoded(value, problem)
    raise BadRecord(problem)


def _number(value: float) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() else str(value)


def _decoded(value: bytes, problem: RowProblem) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRecord(problem) from None


def as_flag(value: object) -> bool | None:
    """Return a flag: true and false, 1 and 0, `t` and `f`; None if it is missing.

    Raises BadRecord for any other value.
    """
    if value is None or isinstance(value, bool):
        return value
    text = as_text(value, RowProblem.BAD_FLAG)
    if text is None:
        return None
    if (found := text.lower()) not in _FLAGS:
        raise BadRecord(RowProblem.BAD_FLAG)
    return _FLAGS[found]


def as_names(value: object, *, commas: bool) -> list[str] | None:
    """Return names from a list, or from one text in which blanks separate them; None if missing.

    If `commas`, a text may separate them by commas, too; blanks within a name become underscores.
    Raises BadRecord for any other value.
    """
    if is_missing(value):
        return None
    if isinstance(value, list):
        if not all(isinstance(name, str) for name in value):
            raise BadRecord(RowProblem.BAD_TAGS)
        return [name for name in value if name]
    text = as_text(value, RowProblem.BAD_TAGS) or ""
    if not commas:
        names = text.split(" ")
    elif ", " in text or ("," in text and " " not in text):
        names = [_BLANKS.sub("_", name.strip()) for name in _COMMA.split(text)]
    else:
        names = _BLANKS.split(text)
    return [name for name in names if name]


def as_fields(value: object) -> Mapping[str, object]:
    """Return the fields of an object within a record (as JSON, or read); none if it is no object.

    Raises BadRecord if it is JSON that cannot be read.
    """
    if isinstance(value, msgspec.Raw):
        try:
            value = msgspec.json.decode(value) if memoryview(value).nbytes else None
        except msgspec.DecodeError:
            raise BadRecord(RowProblem.BAD_JSON) from None
    return value if isinstance(value, dict) else {}


def own_or_asset(record: msgspec.Struct, name: str, problem: RowProblem) -> str | None:
    """Return a field of a record as text, or if it lacks it, that of its field `media_asset`.

    Raises BadRecord with `problem` if it is neither text nor a number.
    """
    text = as_text(getattr(record, name), problem)
    if text is not None:
        return text
    return as_text(as_fields(record.media_asset).get(name), problem)  # type: ignore[attr-defined]


def becomes_text(kind: pl.DataType) -> bool:
    """Return whether a column of this type becomes text: numbers do, flags and lists do not."""
    return not (kind.is_nested() or isinstance(kind, (pl.Binary, pl.Boolean, pl.Object)))


def text_column(name: str, kinds: pl.Schema) -> pl.Expr:
    """Return a column of Parquet as text, null if it is missing. Floats that are whole numbers
    become text without a point: pandas makes floats of columns with missing numbers.
    """
    column, kind = pl.col(name), kinds.get(name)
    if kind is None:
        return pl.lit(None, pl.String).alias(name)
    if not kind.is_float():
        return column.cast(pl.String)
    whole = column.cast(pl.Int64, strict=False)
    text = pl.when(whole == column).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
    return pl.when(column.is_not_nan()).then(text).alias(name)
