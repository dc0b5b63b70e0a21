"""The path of an image by its id."""

import polars as pl


def image_path() -> pl.Expr:
    """`0446/332446.jpg` of an id: the folder is `id % 1000` with four digits."""
    bucket = (pl.col("id") % 1000 + 10_000).cast(pl.String).str.tail(4)
    return pl.concat_str(bucket, pl.lit("/"), pl.col("id").cast(pl.String), pl.lit(".jpg"))
