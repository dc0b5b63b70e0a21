"""Find images that are the same picture, group them, and choose which of them to keep.

Images with equal hashes form one node; images too plain for a hash form a node if their bytes are
equal. Two nodes are a pair if their hashes differ in at most `distance` bits, or if two of their
originals have the same bytes. Groups are the connected components of pairs.

A chain of pairs may connect two different pictures, so pairs decide what is kept, not groups. In
order of preference, an image is kept unless it forms a pair with an image kept before it. Thus no
two kept images are duplicates, in whatever splits, and every image left out is a duplicate of a
kept one.
"""

from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from dafre_fast.audit.hamming import (
    Hashes,
    Indices,
    Pairs,
    components,
    distances,
    pairs_within,
    representatives,
    spreads,
)
from dafre_fast.audit.records import Groups, Kind, Why
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import MANIFEST
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.outputs import read_outputs
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.tables.image_paths import image_paths
from dafre_fast.tables.unreadable import reading

_COLUMNS = {
    "id": pl.Int64,
    "split": pl.String,
    "class_id": pl.Int64,
    "sha256": pl.String,
    "original_sha256": pl.String,
    "bytes": pl.Int64,
    "width": pl.Int64,
    "height": pl.Int64,
    "original_width": pl.Int64,
    "original_height": pl.Int64,
}


class Duplicates(NamedTuple):
    """The result of `find_duplicates`; `leaked` as in `Groups`."""

    rows: pl.DataFrame
    leaked: dict[str, int]


def read_images(folder: Path) -> pl.DataFrame:
    """Read the columns of a manifest that an audit needs: one row per requested image.

    `path` is the path of the full image below its folder, made from the id. If an id has several
    rows the first one counts; `verify` reports the others.

    Raises InputError if the manifest cannot be read or lacks a column of `full`.
    """
    rows = open_manifest(folder)
    with reading(folder / MANIFEST):
        images = rows.select(pl.col(name).cast(kind) for name, kind in _COLUMNS.items()).collect()
    nameless = images["id"].is_null().arg_true()
    if len(nameless):
        raise InputError(f"{folder / MANIFEST}: row {nameless[0] + 1} names no image")
    first = images.unique("id", keep="first", maintain_order=True)
    full, *_ = read_outputs(folder)
    return first.with_columns(image_paths(full.extension).alias("path"))


def find_duplicates(images: pl.DataFrame, *, distance: int, keep: str, threads: int) -> Duplicates:
    """Return all images that have a duplicate, with the image that is kept for each.

    `images` are the rows of `read_images` with a column `hash` (32 bytes or null); `keep` and
    `distance` as in `AuditRun`. Columns of the result: `group` (from 1), id, path, split, class_id,
    `kind` (a `Kind`), `distance` (bits to the kept image), `kept_id` (its own id if the image is
    kept itself) and `group_distance` (bits, the largest between two images of the group). Rows of a
    group, and groups by their first rows, are in order of preference.
    """
    ranked, nodes = _nodes(images, keep)
    bits = _Bits(nodes["hash"])
    pairs = _pairs(ranked, bits, distance, threads)
    node = ranked["node"].to_numpy()
    stays = representatives(nodes.height, pairs)[node]
    roots = components(nodes.height, pairs.first, pairs.second)
    rows = ranked.with_columns(
        root=roots[node], distance=bits.between(node, stays), kept_id=nodes["id"].to_numpy()[stays]
    ).filter(pl.len().over("root") > 1)
    origin = pl.col("original_sha256")
    exact = pl.col("sha256").is_duplicated() | (origin.is_not_null() & origin.is_duplicated())
    kinds = pl.when(exact).then(pl.lit(Kind.EXACT.value)).otherwise(pl.lit(Kind.NEAR.value))
    found = (
        rows.join(bits.largest(rows), on="root", how="left", maintain_order="left")
        # A root is the lowest node of its group: the one of its most preferred image.
        .with_columns(group=pl.col("root").rank("dense").cast(pl.Int64), kind=kinds)
        .sort("group", maintain_order=True)
        .select(
            *("group", "id", "path", "split", "class_id", "kind"),
            *("distance", "kept_id", "group_distance"),
        )
    )
    return Duplicates(found, _leaked(ranked, nodes.height, pairs))


def exclusions(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the images to leave out: id, path, split, class_id, `why` (a `Why`), kind, distance,
    group, and id, split and class_id of the image kept instead.
    """
    kept = rows.select(kept_id="id", kept_split="split", kept_class_id="class_id")
    other = pl.col("split").ne_missing(pl.col("kept_split"))
    why = pl.when(other).then(pl.lit(Why.OTHER_SPLIT.value)).otherwise(pl.lit(Why.SAME_SPLIT.value))
    return (
        rows.filter(pl.col("kept_id") != pl.col("id"))
        .join(kept, on="kept_id", how="left", maintain_order="left")
        .with_columns(why=why)
        .select(
            *("id", "path", "split", "class_id", "why", "kind", "distance", "group"),
            *("kept_id", "kept_split", "kept_class_id"),
        )
    )


def count(found: Duplicates, distance: int) -> Groups:
    """Count duplicates that were found with this `distance`."""
    groups = found.rows.group_by("group").agg(
        splits=pl.col("split").unique().sort(),
        classes=pl.col("class_id").n_unique(),
        largest=pl.col("group_distance").first(),
    )
    single = groups["splits"].list.len() == 1
    return Groups(
        groups=groups.height,
        images=found.rows.height,
        exact=found.rows.filter(pl.col("kind") == Kind.EXACT).height,
        within=_counted(groups.filter(single)["splits"].list.join("+")),
        across=_counted(groups.filter(~single)["splits"].list.join("+")),
        other_class=groups.filter(pl.col("classes") > 1).height,
        leaked=found.leaked,
        left_out=_counted(exclusions(found.rows)["why"]),
        largest_distance=groups.select(pl.col("largest").max().fill_null(0)).item(),
        chained=groups.filter(pl.col("largest") > distance).height,
    )


def _counted(values: pl.Series) -> dict[str, int]:
    return dict(values.value_counts(sort=True).sort(values.name).iter_rows())


def _nodes(images: pl.DataFrame, keep: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the images in order of preference, with a column `node`, and the nodes, each with the
    id and hash of its first image.
    """
    order = {"test": SPLITS[::-1], "train": SPLITS, "largest": ()}[keep]
    place = pl.col("split").replace_strict(
        {split: place for place, split in enumerate(order)},
        default=len(order),
        return_dtype=pl.Int8,
    )
    pixels = pl.col("original_width") * pl.col("original_height")
    look = pl.coalesce("hash", pl.col("sha256").cast(pl.Binary))
    ranked = images.sort(place, -pixels, "id", nulls_last=True).with_columns(look=look)
    nodes = (
        ranked.unique("look", keep="first", maintain_order=True)
        .select("look", "id", "hash")
        .with_row_index("node")
        .cast({"node": pl.Int32})
    )
    node = nodes.select("look", "node")
    return ranked.join(node, on="look", how="left", maintain_order="left"), nodes


class _Bits:
    """Hashes of nodes. A node without a hash has zeros, and distance 0 to every other node."""

    def __init__(self, hashes: pl.Series) -> None:
        self.there = hashes.is_not_null().to_numpy()
        data = b"".join(hashes.fill_null(bytes(32)))
        self.hashes: Hashes = np.frombuffer(data, np.uint64).reshape(-1, 4)

    def between(self, first: Indices, second: Indices) -> Indices:
        both = self.there[first] & self.there[second]
        return np.where(both, distances(self.hashes, first, second), np.int32(0))

    def pairs(self, distance: int, threads: int) -> Pairs:
        nodes = np.flatnonzero(self.there).astype(np.int32)
        found = pairs_within(self.hashes[nodes], distance, threads)
        return Pairs(nodes[found.first], nodes[found.second], found.distance)

    def largest(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return, for each `root` in the rows, the largest distance between two of its nodes."""
        nodes = rows.select("root", "node").unique().sort("root", "node")
        nodes = nodes.filter(pl.Series(self.there[nodes["node"].to_numpy()]))
        runs = nodes["root"].rle().struct.unnest()
        starts = np.concatenate([[0], np.cumsum(runs["len"].to_numpy(), dtype=np.int64)])
        found = spreads(self.hashes[nodes["node"].to_numpy()], starts)
        return pl.DataFrame({"root": runs["value"], "group_distance": found})


def _pairs(ranked: pl.DataFrame, bits: _Bits, distance: int, threads: int) -> Pairs:
    """Return pairs of nodes; a pair that shares an original may occur twice."""
    near = bits.pairs(distance, threads)
    of_origin = ranked.drop_nulls("original_sha256").select("original_sha256", "node").unique()
    lowest = pl.col("node").min().over("original_sha256")
    same = of_origin.with_columns(lowest=lowest).filter(pl.col("lowest") < pl.col("node"))
    first, second = same["lowest"].to_numpy(), same["node"].to_numpy()
    exact = Pairs(first, second, bits.between(first, second))
    return Pairs(*(np.concatenate(both) for both in zip(near, exact, strict=True)))


def _leaked(ranked: pl.DataFrame, nodes: int, pairs: Pairs) -> dict[str, int]:
    """Count the images of a split that form a pair with one of another: `test in train` …"""
    leaked = {}
    for into, split in combinations(SPLITS, 2):
        has = np.zeros(nodes, np.bool_)
        has[ranked.filter(split=into)["node"].to_numpy()] = True
        near = has.copy()
        near[pairs.second[has[pairs.first]]] = True
        near[pairs.first[has[pairs.second]]] = True
        leaked[f"{split} in {into}"] = int(
            near[ranked.filter(split=split)["node"].to_numpy()].sum()
        )
    return leaked
