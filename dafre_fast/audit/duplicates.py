"""Images that are the same picture: found by their hashes, grouped, and one of them chosen to stay.

Images of one hash are one node; a picture too plain for a hash is one node with those of its bytes.
Two nodes make a pair where their hashes differ in no more bits than allowed, or where two of their
originals have the same bytes. Groups are the connected components of pairs.

A chain of pairs may lead from one picture to quite another; so what stays is decided by pairs, not
by groups. In the order of preference, each image stays that makes no pair with one that stays
already: of what stays no two are duplicates, in one split or in two, and each image that goes is a
duplicate of one that stays.
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
    """What `find_duplicates` found; `leaked` as `Groups` has it."""

    rows: pl.DataFrame
    leaked: dict[str, int]


def read_images(folder: Path) -> pl.DataFrame:
    """A row per image that a dataset was asked for: what an audit needs of its manifest, and
    `path`, that of its full image below their folder, made from the id. Of several rows of an image
    the first counts; `verify` tells of them.

    Raises InputError where the manifest cannot be read, or is not one of `full`.
    """
    rows = open_manifest(folder)
    with reading(folder / MANIFEST):
        images = rows.select(pl.col(name).cast(kind) for name, kind in _COLUMNS.items()).collect()
    nameless = images["id"].is_null().arg_true()
    if len(nameless):
        raise InputError(f"{folder / MANIFEST}: row {nameless[0] + 1} names no image")
    first = images.unique("id", keep="first", maintain_order=True)
    return first.with_columns(image_paths().alias("path"))


def find_duplicates(images: pl.DataFrame, *, distance: int, keep: str, threads: int) -> Duplicates:
    """All images that have a duplicate: `group` from 1 on, id, path, split, class_id, `kind` (a
    `Kind`), `distance` in bits to the image that stays for it, `kept_id`, its id, which is their
    own where they stay, and `group_distance`, the largest between two of the group. In each group
    in the order of preference, and groups in that of their first images.

    `images` as `read_images` gives them, with `hash`, 32 bytes or null; `keep` and `distance` as in
    `AuditRun`.
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
    """What to leave out of the duplicates found: id, path, split and class, `why` (a `Why`), kind
    and distance, and id, split and class of the image that stays for it.
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
    """Duplicates in numbers; `distance` is the one they were found with."""
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
    """The images in the order of preference, with their `node`; and the nodes, each with the id and
    hash of its first image.
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
    """Hashes of nodes: zero where there is none, and then no bits are between it and another."""

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
        """Of each `root` of rows, the largest distance between two of its nodes."""
        nodes = rows.select("root", "node").unique().sort("root", "node")
        nodes = nodes.filter(pl.Series(self.there[nodes["node"].to_numpy()]))
        runs = nodes["root"].rle().struct.unnest()
        starts = np.concatenate([[0], np.cumsum(runs["len"].to_numpy(), dtype=np.int64)])
        found = spreads(self.hashes[nodes["node"].to_numpy()], starts)
        return pl.DataFrame({"root": runs["value"], "group_distance": found})


def _pairs(ranked: pl.DataFrame, bits: _Bits, distance: int, threads: int) -> Pairs:
    """Pairs of nodes; those of the same original may be in it twice."""
    near = bits.pairs(distance, threads)
    of_origin = ranked.drop_nulls("original_sha256").select("original_sha256", "node").unique()
    lowest = pl.col("node").min().over("original_sha256")
    same = of_origin.with_columns(lowest=lowest).filter(pl.col("lowest") < pl.col("node"))
    first, second = same["lowest"].to_numpy(), same["node"].to_numpy()
    exact = Pairs(first, second, bits.between(first, second))
    return Pairs(*(np.concatenate(both) for both in zip(near, exact, strict=True)))


def _leaked(ranked: pl.DataFrame, nodes: int, pairs: Pairs) -> dict[str, int]:
    """By `test in train` and so on, images of a split that make a pair with one of another."""
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
