"""Paths of images by their ids, as an expression of polars."""

import polars as pl


def image_paths(extension: str = "jpg") -> pl.Expr:
    """Return `core.layout.image_path` of the column `id`, which has no negative number."""
    bucket = (pl.col("id") % 1000 + 10_000).cast(pl.String).str.tail(4)
    return pl.concat_str(bucket, pl.lit("/"), pl.col("id").cast(pl.String), pl.lit(f".{extension}"))
