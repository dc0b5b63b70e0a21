"""The order of images in shards, and the names of shards."""

import hashlib

import polars as pl

from dafre_fast.core.splits import SPLITS


def ordered(rows: pl.DataFrame, *, shuffle: bool) -> pl.Series:
    """Return the row numbers in the order of shards: by split, and within a split in their own
    order or, if `shuffle`, by the SHA-256 of the decimal id. That order is as good as random, and
    does not change for the others when images are added or removed.
    """
    splits = pl.col("split").replace_strict(SPLITS, range(len(SPLITS)), return_dtype=pl.UInt8)
    digests = (hashlib.sha256(b"%d" % image).digest()[:8] for image in rows["id"])
    mixed = pl.Series("place", [int.from_bytes(digest) for digest in digests], pl.UInt64)
    by = [splits, mixed, "id"] if shuffle else [splits]
    return rows.select("id", "split").select(pl.arg_sort_by(by, maintain_order=True)).to_series()


def shard_names(asked: pl.DataFrame, shard_size: int) -> pl.Series:
    """Return the shard of each row (`id`, `split`) in a shuffled WebDataset, such as
    `train/00000`.
    """
    order = ordered(asked, shuffle=True)
    number = pl.int_range(pl.len()).over("split") // shard_size
    named = asked.select(pl.col("split").gather(order), row=order).with_columns(
        shard=pl.format("{}/{}", "split", number.cast(pl.String).str.zfill(5))
    )
    return named.sort("row")["shard"]
