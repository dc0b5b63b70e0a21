"""Count a manifest for the report, in few passes over few columns.

A hash of id and seed decides which images are shown: the choice does not depend on the order of the
rows, and another seed gives another choice.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.splits import SPLITS
from dafre_fast.report.records import (
    Example,
    Grid,
    Heads,
    ImageClass,
    Overview,
    Range,
    Refused,
    Share,
    Sizes,
    Split,
)
from dafre_fast.tables.faces import EDGES

_NUMBERS = (
    "original_width original_height original_bytes width height bytes"
    " face_width face_height face_bytes download_seconds"
)
_OPTIONAL = {
    **dict.fromkeys([*EDGES, *_NUMBERS.split()], pl.Float64()),
    **dict.fromkeys(["error_message", "url", "format", "proof"], pl.String()),
    "notes": pl.List(pl.String()),
}
_KINDS = {"original": "original_", "full image": "", "head crop": "face_"}
_HEAD_CELLS = 48
_CELLS_PER_OCTAVE = 4
_LARGEST_SIDE = 2**17
_MOST_PLACES = 12
_MIX = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio (Knuth, TAOCP 3, 6.4)
_made = pl.col("status") == SUCCESS


def overview(manifest: pl.LazyFrame, *, classes: int, examples: int, seed: int) -> Overview:
    """Count a manifest (as `dataset.reading.open_manifest` opens it); missing columns are unknown.

    The result names the `classes` largest classes and `examples` images per refusal reason.
    """
    rows = _completed(manifest)
    by_class = _by_class(rows)
    named = by_class.drop_nulls("class_id")
    made = by_class.filter(pl.col("made") > 0)
    return Overview(
        images=int(by_class["images"].sum()),
        made=int(by_class["made"].sum()),
        made_classes=made["class_id"].drop_nulls().n_unique(),
        splits=_splits(rows),
        class_sizes=named["images"].to_list(),
        classes=[_image_class(row) for row in named.head(classes).iter_rows(named=True)],
        formats=_shares(rows, pl.col("format")),
        sizes=_sizes(rows),
        original_sizes=_size_grid(rows, "original_width", "original_height"),
        face_sizes=_size_grid(rows, "face_width", "face_height"),
        heads=_heads(rows),
        refused=_refused(rows, examples, seed),
        notes=_shares(rows, pl.col("notes").explode()),
        places=_shares(rows, _place())[:_MOST_PLACES],
        proofs=_shares(rows, pl.col("proof")),
        download_seconds=_range(rows, "download_seconds"),
    )


def chosen(manifest: pl.LazyFrame, split: str | None, number: int, seed: int) -> list[Example]:
    """Return up to `number` made images of a split, of any if it is None."""
    made = _completed(manifest).filter(_made)
    return _first(made.filter(split=split) if split else made, number, seed)


def one_of_each(manifest: pl.LazyFrame, classes: Sequence[int], seed: int) -> dict[int, Example]:
    """Return a made image, by class id, for each of these classes that has one."""
    of_them = _completed(manifest).filter(_made, pl.col("class_id").is_in([*classes]))
    ranked = of_them.sort(rank(seed), "id").unique("class_id", keep="first", maintain_order=True)
    rows = ranked.select(_EXAMPLE).collect().iter_rows()
    return {row[3]: _example(*row) for row in rows}


def class_names(manifest: pl.LazyFrame, classes: Sequence[int]) -> dict[int, str]:
    """Return the names of these classes by class id."""
    of_them = manifest.filter(pl.col("class_id").is_in([*classes]))
    rows = of_them.group_by("class_id").agg(pl.col("class_name").first()).collect().iter_rows()
    return {class_id: _class_name(class_id, name) for class_id, name in rows}


def _class_name(class_id: int | None, name: str | None) -> str:
    return name or ("" if class_id is None else f"class {class_id}")


def _completed(manifest: pl.LazyFrame) -> pl.LazyFrame:
    names = set(manifest.collect_schema().names())
    lacking = {name: kind for name, kind in _OPTIONAL.items() if name not in names}
    return manifest.with_columns(pl.lit(None, kind).alias(name) for name, kind in lacking.items())


def _by_class(rows: pl.LazyFrame) -> pl.DataFrame:
    splits = [(_made & (pl.col("split") == split)).sum().alias(split) for split in SPLITS]
    counted = rows.group_by("class_id").agg(
        pl.col("class_name").first(), *splits, images=pl.len(), made=_made.sum()
    )
    name = pl.col("class_name")
    counted = counted.with_columns(alone=name.is_not_null() & name.is_unique())
    return counted.sort("images", "class_id", descending=[True, False]).collect()


def _image_class(row: dict[str, Any]) -> ImageClass:
    class_id, name, images, made = (
        row[key] for key in ("class_id", "class_name", "images", "made")
    )
    splits = {split: row[split] for split in SPLITS}
    shown = _class_name(class_id, name)
    return ImageClass(class_id, shown, images, made, splits, row["alone"])


def _splits(rows: pl.LazyFrame) -> list[Split]:
    counted = rows.group_by("split").agg(
        images=pl.len(),
        made=_made.sum(),
        classes=pl.col("class_id").filter(_made).drop_nulls().n_unique(),
    )
    found = {row[0]: Split(*row) for row in counted.collect().iter_rows()}
    return [found[split] for split in SPLITS if split in found]


def _shares(rows: pl.LazyFrame, value: pl.Expr) -> list[Share]:
    """Count the images of each value, most frequent first; nulls are not counted."""
    counted = rows.select(name=value).drop_nulls().group_by("name").agg(images=pl.len())
    ranked = counted.sort("images", "name", descending=[True, False]).collect()
    return [Share(*row) for row in ranked.iter_rows()]


def _place() -> pl.Expr:
    """Return the host of an original's address, or `files on disk` for a path."""
    host = pl.col("url").str.extract(r"^[A-Za-z0-9+.-]+:(?://)?([^/?#]+)")
    return pl.when(pl.col("url").is_not_null()).then(host.fill_null("files on disk"))


def _sizes(rows: pl.LazyFrame) -> list[Sizes]:
    found = []
    for name, prefix in _KINDS.items():
        columns = [f"{prefix}{column}" for column in ("width", "height", "bytes")]
        known = rows.drop_nulls(columns)
        width, height, size = (_range(known, column) for column in columns)
        if width and height and size:
            images, total = known.select(pl.len(), pl.col(columns[2]).sum()).collect().row(0)
            found.append(Sizes(name, images, width, height, size, int(total)))
    return found


def _range(rows: pl.LazyFrame, column: str) -> Range | None:
    parts = (pl.col(column).quantile(at, "nearest").alias(str(at)) for at in (0.05, 0.5, 0.95))
    low, middle, high = rows.select(parts).collect().row(0)
    return None if middle is None else Range(low, middle, high)


def _size_grid(rows: pl.LazyFrame, width: str, height: str) -> Grid | None:
    """Count images by width and height, on logarithmic axes."""
    sides = [_octaves(pl.col(name)).alias(name) for name in (width, height)]
    counted = rows.drop_nulls([width, height]).select(sides).group_by(width, height).len().collect()
    if counted.is_empty():
        return None
    across, down, images = (counted[name].to_numpy() for name in (width, height, "len"))
    low, high = int(min(across.min(), down.min())), int(max(across.max(), down.max())) + 1
    cells = np.zeros((high - low, high - low), np.int64)
    cells[high - 1 - down, across - low] = images  # the tallest on top
    left, right = (2.0 ** (edge / _CELLS_PER_OCTAVE) for edge in (low, high))
    return Grid(cells.tolist(), (left, right), (right, left))


def _octaves(side: pl.Expr) -> pl.Expr:
    return (side.clip(1, _LARGEST_SIDE).log(2) * _CELLS_PER_OCTAVE).floor().cast(pl.Int32)


def _heads(rows: pl.LazyFrame) -> Heads | None:
    edges = [pl.col(edge).cast(pl.Float64) for edge in EDGES]
    boxes = rows.select(edges).drop_nulls().collect().to_numpy()
    boxes = boxes[np.isfinite(boxes).all(axis=1)].clip(0, 1)
    if not len(boxes):
        return None
    first = np.floor(boxes[:, :2] * _HEAD_CELLS).astype(np.int64)
    behind = np.ceil(boxes[:, 2:] * _HEAD_CELLS).astype(np.int64)
    # A 2-D difference array: +1 at a corner, -1 behind the edges; two cumulative sums fill it.
    steps = np.zeros((_HEAD_CELLS + 1, _HEAD_CELLS + 1), np.int64)
    for down, across, step in (
        (first[:, 1], first[:, 0], 1),
        (first[:, 1], behind[:, 0], -1),
        (behind[:, 1], first[:, 0], -1),
        (behind[:, 1], behind[:, 0], 1),
    ):
        np.add.at(steps, (down, across), step)
    covered = steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    left, top, right, bottom = (float(edge) for edge in np.median(boxes, axis=0))
    grid = Grid(covered.tolist(), (0.0, 1.0), (0.0, 1.0))
    return Heads(len(boxes), grid, (left, top, right, bottom))


def _refused(rows: pl.LazyFrame, examples: int, seed: int) -> list[Refused]:
    refused = rows.filter(~_made)
    reasons = _shares(refused, pl.col("status"))
    return [
        Refused(one.name, one.images, _first(refused.filter(status=one.name), examples, seed))
        for one in reasons
    ]


_EXAMPLE = ("id", "path", "class_name", "class_id", "error_message", "url")


def _first(rows: pl.LazyFrame, number: int, seed: int) -> list[Example]:
    ranked = rows.select(*_EXAMPLE, rank=rank(seed)).bottom_k(number, by=["rank", "id"])
    found = ranked.collect().sort("rank", "id").select(_EXAMPLE)
    return [_example(*row) for row in found.iter_rows()]


def _example(
    id: int, path: str, name: str | None, class_id: int | None, detail: str | None, url: str | None
) -> Example:
    return Example(id, path, _class_name(class_id, name), detail or "", url)


def rank(seed: int) -> pl.Expr:
    """Return a 32-bit hash of id and seed; sums and products wrap around."""
    mixed = pl.col("id").cast(pl.UInt64)
    for salt in (seed, seed + 1):
        mixed = (mixed + pl.lit(salt % 2**64, pl.UInt64)) * pl.lit(_MIX, pl.UInt64)
        mixed = mixed ^ (mixed // 2**32)
    return mixed % 2**32
