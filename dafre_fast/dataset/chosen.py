"""Choose images of a dataset by lists: those to take, and those to leave out.

A list is what the gallery and `audit` write, or one made by hand: Parquet, CSV or TSV with a line
of names, or plain lines; compressed or not. Its column `id` has ids, else `key` the keys of a table
of addresses; a plain line is either. Where there is a column `mark`, rows can be chosen by it.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Notice, Tell, silent
from dafre_fast.tables.blocks import check_text
from dafre_fast.tables.streams import opened
from dafre_fast.tables.text import BOM
from dafre_fast.tables.unreadable import reading

_ID, _KEY, _EITHER, _MARK = "id", "key", "either", "mark"
_PARQUET = b"PAR1"
_WHAT = "a list of images: Parquet, CSV, TSV or lines, with ids or keys"
_FORM = "^[0-9]{1,18}$"


class HasLists(Protocol):
    """Settings of a command that takes lists."""

    @property
    def only(self) -> Path | None: ...
    @property
    def exclude(self) -> Path | None: ...
    @property
    def mark(self) -> tuple[str, ...]: ...


class Lists(NamedTuple):
    """The list of images to take, that of images to leave out, and the marks that count in them,
    all if there are none.
    """

    only: Path | None = None
    exclude: Path | None = None
    mark: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: HasLists) -> "Lists":
        """Return the lists of a command."""
        return cls(settings.only, settings.exclude, settings.mark)

    def __str__(self) -> str:
        named = {"only": self.only, "exclude": self.exclude}
        return ", ".join(f"{name} {path}" for name, path in named.items() if path)


ALL = Lists()
"""No list: all images."""


class Chosen(NamedTuple):
    """The ids (int64) of the images to take, None for all, and of those to leave out."""

    only: pl.Series | None
    exclude: pl.Series

    @property
    def stays(self) -> pl.Expr:
        """The rows of a table with a column `id` that are taken."""
        left = ~pl.col(_ID).is_in(self.exclude.implode())
        return left if self.only is None else left & pl.col(_ID).is_in(self.only.implode())


def read_chosen(
    lists: Lists, manifest: pl.LazyFrame, tell: Tell = silent, *, whole: bool = True
) -> Chosen:
    """Read lists of images of a manifest, and tell how many of each it does not have; unless it is
    the manifest of the `whole` dataset, others may be in the rest of it.

    Raises InputError if a list cannot be read; UsageError if the manifest has none of its images,
    or no list has one of the marks.
    """
    paths = [path for path in (lists.only, lists.exclude) if path]
    tables = {path: _read(path) for path in paths}
    if lists.mark:
        tables = _with_marks(tables, lists.mark)
    found = dict[Path, pl.Series]()
    for path, table in tables.items():
        found[path], unknown, listed = _known(table, manifest)
        if whole:
            _tell_unknown(path, unknown, listed, tell)
    nothing = pl.Series(_ID, [], pl.Int64)
    return Chosen(
        found[lists.only] if lists.only else None,
        found[lists.exclude] if lists.exclude else nothing,
    )


def _read(path: Path) -> pl.DataFrame:
    """Return the rows of a list as text: `id`, `key` or, in plain lines, `either`; and `mark`, if
    there are marks.
    """
    with opened(path) as stream:
        if is_parquet := stream.head.startswith(_PARQUET):
            with reading(path, "is a damaged Parquet file"):
                table = pl.read_parquet(io.BytesIO(stream.read()))
        else:
            check_text(path, stream, _WHAT)
            table = _of_text(path, stream.read().removeprefix(BOM))
    names = {name.strip().lower(): name for name in reversed(table.columns)}
    value = next((name for name in (_ID, _KEY, _EITHER) if name in names), None)
    if value is None:
        raise InputError(f"{path}: has no column id or key, but {', '.join(names)}")
    wanted = [name for name in (value, _MARK) if name in names]
    with reading(path, "has no text in its columns"):
        rows = table.select(
            pl.col(names[name]).cast(pl.String).str.strip_chars().alias(name) for name in wanted
        )
    _check(path, rows[value], first=1 if is_parquet else 2)
    return rows


def _of_text(path: Path, data: bytes) -> pl.DataFrame:
    head = data.partition(b"\n")[0].decode(errors="replace").strip()
    separator = "\t" if "\t" in head else ","
    names = [name.strip(' "').lower() for name in head.split(separator)]
    if {_ID, _KEY}.isdisjoint(names):
        if separator in head:
            advice = "keys with commas or tabs need a CSV, with quotes and a line of names"
            raise InputError(f"{path}: has no column id or key, but {', '.join(names)}; {advice}")
        with reading(path, "is no text"):
            lines = pl.read_lines(io.BytesIO(data), name=_EITHER) if data else _NO_LINES
        return lines.filter(pl.col(_EITHER).str.strip_chars() != "")
    with reading(path, f"is no {'CSV' if separator == ',' else 'TSV'} file"):
        return pl.read_csv(io.BytesIO(data), infer_schema=False, separator=separator)


_NO_LINES = pl.DataFrame(schema={_EITHER: pl.String})


def _check(path: Path, values: pl.Series, first: int) -> None:
    """Raise InputError for the first row without an id or key."""
    is_bad = values.is_null() | (values == "")
    if values.name == _ID:
        is_bad |= ~values.str.contains(_FORM).fill_null(value=False)
    bad = is_bad.arg_true()
    if len(bad):
        what = "id" if values.name == _ID else "key"
        raise InputError(f"{path}: line {bad[0] + first}: {values[bad[0]]!r} is no {what}")


def _with_marks(tables: dict[Path, pl.DataFrame], marks: Sequence[str]) -> dict[Path, pl.DataFrame]:
    """Leave out the rows of other marks, in lists that have marks. Raises UsageError for a mark
    that no row has.
    """
    marked = {path: table for path, table in tables.items() if _MARK in table.columns}
    known = {name for table in marked.values() for name in table[_MARK].drop_nulls().unique()}
    wanted = {_plain(mark) for mark in marks}
    lacking = wanted - {*map(_plain, known)}
    if lacking:
        where = ", ".join(map(str, tables)) or "--mark: no list is given; it"
        has = ", ".join(sorted(known)) or "none"
        raise UsageError(f"{where}: has no mark {', '.join(sorted(lacking))}, but {has}")
    fits = pl.col(_MARK).is_in([name for name in known if _plain(name) in wanted])
    return tables | {path: table.filter(fits) for path, table in marked.items()}


def _plain(mark: str) -> str:
    return " ".join(mark.replace("_", " ").split()).lower()


def _known(rows: pl.DataFrame, manifest: pl.LazyFrame) -> tuple[pl.Series, pl.Series, int]:
    """Return the ids of the images of a list that a manifest has; the ids or keys that it does not
    have; and how many the list names.
    """
    by, *_ = rows.columns
    listed = rows.lazy().select(value=pl.col(by)).unique(maintain_order=True)
    own = manifest.select(_ID, value=pl.col(_ID).cast(pl.String))
    if by != _ID and _KEY in manifest.collect_schema():
        keyed = manifest.select(_ID, value=pl.col(_KEY).cast(pl.String)).drop_nulls()
        own = pl.concat([keyed, own])
    found = listed.join(own, on="value", how="left", maintain_order="left").collect()
    ids = found[_ID].drop_nulls().unique(maintain_order=True)
    return ids, found.filter(pl.col(_ID).is_null())["value"], found["value"].n_unique()


def _tell_unknown(path: Path, unknown: pl.Series, listed: int, tell: Tell) -> None:
    if not listed:
        tell(Notice(f"{path}: lists no image"))
    elif len(unknown) == listed:
        raise UsageError(
            f"{path}: none of its {listed:,} images is in the dataset, such as {unknown[0]}"
        )
    elif len(unknown):
        counts = f"{len(unknown):,} of {listed:,} images"
        tell(Notice(f"{path}: {counts} are not in the dataset, such as {unknown[0]}"))
