"""Read a table of addresses as a catalogue: any key, and class, split and box where it has them.

Columns are found by their usual names, or are named. All further ones are kept as they are.
"""

import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.formats import EXTENSIONS, OTHER_ORIGINALS
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.records import Box
from dafre_fast.core.settings.tables import AnyTable, Selection, Splitting
from dafre_fast.core.splits import SPLITS, TEST, TRAIN, VAL
from dafre_fast.core.summaries import Step
from dafre_fast.tables.any_table import Raw, read_any
from dafre_fast.tables.bad_rows import refuse_too_many
from dafre_fast.tables.catalogue import Catalogue
from dafre_fast.tables.image_paths import image_paths
from dafre_fast.tables.keys import ids_of
from dafre_fast.tables.marks import bad_rows_of, is_good, mark_repeats, when
from dafre_fast.tables.splits import by_draw, by_shares
from dafre_fast.tables.taking import take_rows

USUAL: Mapping[str, Sequence[str]] = {
    "url": ("url", "image_url", "uri", "link", "address", "path", "file", "file_name", "filename"),
    "key": ("key", "id", "image_id"),
    "class": ("class", "class_name", "label"),
    "split": ("split",),
    "md5": ("md5",),
    "caption": ("caption", "text"),
}
"""The names of columns that count without a flag, the first that is there; in any case."""
KEY = "given key"
"""The column of the keys, in tables in which `key` is the key of the ledger; `key` in manifests."""
_ADDRESS = re.compile(r"(https?|s3|gs)://[^/?#]", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL = r"[\x00-\x1f\x7f]"
_SPLITS = {"training": TRAIN, "validation": VAL, "valid": VAL, "dev": VAL, "testing": TEST}
_EDGES = [f"{edge} edge" for edge in Box._fields]


class Listed(NamedTuple):
    """A table of addresses: its catalogue, in which ids are those of `tables.keys`, and where
    originals are.

    Besides the columns of `Catalogue.kept`, of which tag_id and confidence are null, and class_id
    and class_name if there are no classes, `kept` has `given key`, `caption` if there are captions,
    and the further columns of the table. `originals` has `key` (the decimal id), `name` (the
    address), `extension` and `md5`. `left_out` names columns of kinds that no manifest can hold.
    """

    catalogue: Catalogue
    originals: pl.DataFrame
    has_classes: bool
    has_boxes: bool
    left_out: Sequence[str]


def read_listed(
    path: Path,
    columns: AnyTable,
    selection: Selection,
    splitting: Splitting,
    taken: Sequence[str],
    base: str | None = None,
) -> Listed:
    """Read a table, select rows and assign splits. A further column whose name is one of `taken`,
    those of manifests, gets `table_` before it. Addresses that are relative are joined to `base`,
    a folder or the beginning of addresses.

    Raises InputError if the table cannot be read, has no addresses or more bad rows than allowed,
    or no row is left; UsageError for a column that it does not have.
    """
    raw = read_any(path)
    roles = _roles(path, raw.columns, columns)
    rows = _marked(_renamed(raw, roles, taken), roles, base)
    bad_rows = bad_rows_of(path, rows)
    # Lists of addresses often repeat rows, and nothing is lost.
    wrong = bad_rows.filter(pl.col("problem") != RowProblem.DUPLICATE_ROW)
    refuse_too_many(path, wrong, rows.height, selection.max_bad_rows)
    good = rows.filter(is_good)
    kept = _split(_with_classes(good, selection.min_images or 1), splitting)
    chosen = take_rows(kept, selection)
    if chosen.is_empty():
        raise InputError(
            f"{path}: of {rows.height:,} rows none is left in a class of >="
            f" {selection.min_images} images; lower --min-images"
        )
    funnel = [
        _step("rows of the table", rows),
        _step("good rows", good),
        *(
            [_step(f"classes of >= {selection.min_images} images", kept)]
            if (selection.min_images or 1) > 1
            else []
        ),
        *([_step(selection.words, chosen)] if selection.words else []),
        *(_step(split, chosen.filter(split=split)) for split in SPLITS),
    ]
    originals = chosen.select(
        key=pl.col("id").cast(pl.String), name="address", extension=_extension(), md5="given md5"
    )
    catalogue = Catalogue(_columns(chosen), funnel, bad_rows)
    boxes = bool(chosen["left edge"].is_not_null().any())
    return Listed(catalogue, originals, "class" in roles, boxes, raw.left_out)


def _roles(path: Path, names: Sequence[str], columns: AnyTable) -> dict[str, str]:
    """Return the column of each role that the table has one for."""
    roles, lower = dict[str, str](), {name.lower(): name for name in reversed(names)}
    for role, usual in USUAL.items():
        given = getattr(columns, f"{role}_column")
        if given is not None:
            roles[role] = _known(path, given, names, f"--{role}-column")
        elif found := next((lower[name] for name in usual if name in lower), None):
            roles[role] = found
    if "url" not in roles:
        raise InputError(
            f"{path}: has no column of addresses ({', '.join(USUAL['url'][:3])}, …) among"
            f" {', '.join(names)}; name it with --url-column"
        )
    boxes: Sequence[str] = columns.box_columns
    if boxes and len(boxes) != len(Box._fields):
        raise UsageError("--box-columns: must be four columns: left, top, right, bottom")
    boxes = [_known(path, name, names, "--box-columns") for name in boxes] or [
        lower[edge] for edge in Box._fields if {*Box._fields} <= {*lower}
    ]
    return roles | dict(zip(_EDGES, boxes, strict=False))


def _known(path: Path, name: str, names: Sequence[str], flag: str) -> str:
    if name in names:
        return name
    near = get_close_matches(name, names, 1) or get_close_matches(name.upper(), names, 1)
    hint = f"; did you mean {near[0]}?" if near else f" among {', '.join(names)}"
    raise UsageError(f"{flag} {name}: {path} has no such column{hint}")


def _renamed(raw: Raw, roles: Mapping[str, str], taken: Sequence[str]) -> pl.DataFrame:
    """Return the columns of all roles under names with a blank, null for those that are not there,
    and the further ones under names that a manifest can have.
    """
    text = {
        "address": roles["url"],
        KEY: roles.get("key", roles["url"]),
        "given class": roles.get("class"),
        "given split": roles.get("split"),
        "given md5": roles.get("md5"),
        "given caption": roles.get("caption"),
        **{edge: roles.get(edge) for edge in _EDGES},
    }
    own = {
        role: (pl.lit(None) if name is None else pl.col(name)).cast(pl.String).str.strip_chars()
        for role, name in text.items()
    }
    # Names that differ in case alone are one for many who read Parquet.
    lower = {name.lower() for name in (*taken, "caption")}
    further = {
        (f"table_{name}" if name.lower() in lower or name.endswith("_sha256") else name): name
        for name in raw.columns
        if name not in roles.values()
    }
    columns = {new: _number_or_text(raw.rows[old]) for new, old in further.items()}
    return raw.rows.select("line", "problem", **own, **columns)


def _number_or_text(column: pl.Series) -> pl.Series:
    """Return a column of text as numbers if it has nothing else."""
    if column.dtype != pl.String or not (texts := column.replace("", None).drop_nulls()).len():
        return column
    if texts.str.contains("^(?:0|-?[1-9][0-9]{0,17})$").all():
        return column.replace("", None).cast(pl.Int64)
    if (
        texts.str.contains(r"^-?[0-9]{1,15}(?:\.[0-9]{1,15})?$").all()
        and not texts.str.contains("^-?0[0-9]").any()
    ):
        return column.replace("", None).cast(pl.Float64)
    return column


def _marked(rows: pl.DataFrame, roles: Mapping[str, str], base: str | None) -> pl.DataFrame:
    """Return rows with `id`, `address` as it can be asked for, and what is wrong with each."""
    addresses = [resolved(address or "", base) for address in rows["address"]]
    rows = rows.with_columns(pl.Series("address", addresses, pl.String))
    split = pl.col("given split").str.to_lowercase()
    rows = rows.with_columns(split.replace(_SPLITS)).with_columns(
        pl.col("given class").replace("", None),
        pl.col("given md5").str.to_lowercase().replace("", None),
        **{edge: pl.col(edge).cast(pl.Float32, strict=False) for edge in _EDGES},
    )
    no_box = pl.any_horizontal(pl.col(edge).is_null() for edge in _EDGES)
    key = pl.col(KEY).fill_null("")
    problems = {
        RowProblem.BAD_ADDRESS: pl.col("address").is_null(),
        RowProblem.BAD_KEY: (key == "") | key.str.contains(_CONTROL),
        RowProblem.BAD_NAME: pl.col("given class").str.contains(_CONTROL),
        RowProblem.BAD_MD5: ~pl.col("given md5").str.contains("^[0-9a-f]{32}$"),
    }
    if "class" in roles:
        problems[RowProblem.NO_CLASS] = pl.col("given class").is_null()
    if "split" in roles:
        problems[RowProblem.BAD_SPLIT] = ~pl.col("given split").fill_null("").is_in(SPLITS)
    if _EDGES[0] in roles:
        problems[RowProblem.BAD_BOX_COLUMNS] = no_box
    found = (when(bad, problem) for problem, bad in problems.items())
    rows = rows.with_columns(problem=pl.coalesce("problem", *found))
    rows = mark_repeats(rows, KEY, RowProblem.DUPLICATE_KEY)
    rows = mark_repeats(rows.with_columns(ids_of(rows[KEY])), "id", RowProblem.KEY_COLLISION)
    if "key" in roles:
        return rows
    return rows.with_columns(pl.col(KEY).map_elements(public, return_dtype=pl.String))


def resolved(address: str, base: str | None) -> str | None:
    """Return an address as a source can ask for it, None if none can: an address of http(s), s3 or
    gs, or, below `base`, a relative one or a path.
    """
    if re.search(_CONTROL, address):
        return None
    if found := _ADDRESS.match(address):
        return f"{found[1].lower()}{address[found.end(1) :]}"
    if not address or not base or _SCHEME.match(address):
        return None
    if "://" in base:
        inside = not address.startswith("/") and ".." not in address.split("/")
        return f"{base.rstrip('/')}/{address}" if inside else None
    folder, place = os.path.normpath(base), os.path.normpath(address)
    if os.path.isabs(place):  # noqa: PTH117  (a Path per row costs)
        return place if place.startswith(os.path.join(folder, "")) else None  # noqa: PTH118
    inside = place not in {os.curdir, os.pardir} and not place.startswith("../")
    return os.path.normpath(os.path.join(folder, place)) if inside else None  # noqa: PTH118


def _with_classes(rows: pl.DataFrame, least: int) -> pl.DataFrame:
    """Return the rows of classes with enough images, class by class, with `class_id`."""
    names = rows["given class"]
    if not names.is_not_null().any():
        return rows.with_columns(class_id=pl.lit(None, pl.Int64))
    number = pl.col("given class").cast(pl.Int64, strict=False)
    large = rows.filter(pl.len().over("given class") >= least)
    by = [number] if names.str.contains("^[0-9]{1,18}$").all() else ["given class"]
    in_order = large.sort(*by, "given class", maintain_order=True)
    return in_order.with_columns(class_id=pl.col("given class").rle_id().cast(pl.Int64))


def _split(rows: pl.DataFrame, splitting: Splitting) -> pl.DataFrame:
    if rows["given split"].is_not_null().any():
        return rows.rename({"given split": "split"})
    if splitting.protocol == "drawn":
        return by_draw(rows, splitting)
    if rows["class_id"].is_not_null().any():
        return by_shares(rows.lazy()).collect()
    return rows.with_columns(split=pl.lit(TRAIN))


def _columns(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of `Catalogue.kept`, and those that a table of addresses has besides."""
    inner = (*_INNER, "id", "class_id", "split")
    captions = ["given caption"] if rows["given caption"].is_not_null().any() else []
    return rows.select(
        "id",
        image_paths().alias("path"),
        pl.lit(None, pl.Int64).alias("tag_id"),
        "class_id",
        pl.col("given class").alias("class_name"),
        "split",
        *(pl.col(edge).alias(name) for edge, name in zip(_EDGES, Box._fields, strict=True)),
        pl.lit(None, pl.Float32).alias("confidence"),
        KEY,
        *(pl.col(name).alias("caption") for name in captions),
        *(name for name in rows.columns if name not in inner),
    )


_INNER = (
    *("line", "problem", "address", KEY, "given class", "given split", "given md5"),
    *("given caption", *_EDGES),
)


def _extension() -> pl.Expr:
    """Return the extension in an address, `jpg` if that of no picture is there."""
    known = (*EXTENSIONS, *OTHER_ORIGINALS)
    found = pl.col("address").str.extract(r"\.([A-Za-z0-9]{1,5})(?:[?#].*)?$").str.to_lowercase()
    return pl.when(found.is_in(known)).then(found).otherwise(pl.lit("jpg"))


def _step(name: str, rows: pl.DataFrame) -> Step:
    return Step(name, rows.height, rows["given class"].drop_nulls().n_unique())
