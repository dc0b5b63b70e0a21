"""The order of images in shards, and the names of shards."""

import hashlib
from collections.abc import Mapping, Sequence

import polars as pl

from dafre_fast.core.parts import Part
from dafre_fast.core.splits import SPLITS

Numbers = Mapping[str, Sequence[int]]
"""Numbers of shards by split."""


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
    number = shard_numbers(asked, shard_size).cast(pl.String).str.zfill(5)
    return asked.select(pl.format("{}/{}", "split", number).alias("shard")).to_series()


def shard_numbers(asked: pl.DataFrame, shard_size: int) -> pl.Series:
    """Return the number, from 0 in each split, of the shard of each row (`id`, `split`)."""
    order = ordered(asked, shuffle=True)
    number = pl.int_range(pl.len()).over("split") // shard_size
    numbered = asked.select(pl.col("split").gather(order), row=order).with_columns(number=number)
    return numbered.sort("row")["number"]


def of_part(asked: pl.DataFrame, shard_size: int, part: Part) -> tuple[pl.DataFrame, Numbers]:
    """Return the rows (`id`, `split`) of the shards of a part, in their order, and the numbers of
    these shards in each split. The shards of all splits in turn are dealt to the parts.
    """
    rows = asked.with_columns(number=shard_numbers(asked, shard_size))
    before, numbers = 0, dict[str, list[int]]()
    for split in SPLITS:
        shards = -(-rows.filter(split=split).height // shard_size)
        first = (part.number - 1 - before) % part.of
        numbers[split] = [*range(first, shards, part.of)]
        before += shards
    own = pl.any_horizontal(
        pl.lit(value=False),
        *(
            (pl.col("split") == split) & pl.col("number").is_in(of_split)
            for split, of_split in numbers.items()
        ),
    )
    return rows.filter(own).drop("number"), numbers


def names_of(numbers: Numbers) -> list[str]:
    """Return the names of shards, such as `train/00000`."""
    return [f"{split}/{number:05d}" for split, own in numbers.items() for number in own]


def files_of_shard(name: str) -> list[str]:
    """Return the paths of the archive of a shard, such as `train/00000`, and of those beside it."""
    return [f"{name}{ending}" for ending in (".tar", ".json", ".parquet", "_stats.json")]
