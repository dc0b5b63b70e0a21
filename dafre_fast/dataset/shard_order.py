"""The order of images in shards, and the names of shards."""

import hashlib

import polars as pl

from dafre_fast.core.splits import SPLITS


def ordered(rows: pl.DataFrame, *, shuffle: bool) -> pl.Series:
    """Row numbers: by split, and there as they stand or by the SHA-256 of the decimal id, which is
    as good as chance, and stays as it is when other images come or go.
    """
    splits = pl.col("split").replace_strict(SPLITS, range(len(SPLITS)), return_dtype=pl.UInt8)
    digests = (hashlib.sha256(b"%d" % image).digest()[:8] for image in rows["id"])
    mixed = pl.Series("place", [int.from_bytes(digest) for digest in digests], pl.UInt64)
    by = [splits, mixed, "id"] if shuffle else [splits]
    return rows.select("id", "split").select(pl.arg_sort_by(by, maintain_order=True)).to_series()


def shard_names(asked: pl.DataFrame, shard_size: int) -> pl.Series:
    """In which shard of a mixed WebDataset each row (`id`, `split`) will be: `train/00000`."""
    order = ordered(asked, shuffle=True)
    number = pl.int_range(pl.len()).over("split") // shard_size
    named = asked.select(pl.col("split").gather(order), row=order).with_columns(
        shard=pl.format("{}/{}", "split", number.cast(pl.String).str.zfill(5))
    )
    return named.sort("row")["shard"]
