"""Cut the images of a run into parts, and record what a part did.

The rule follows Danbooru's trees and the archives made of them: all images of a bucket
(`id % 1000`) belong to one part, so that the archive of a bucket is read by one part only. Bucket b
belongs to part b % N + 1. Of more parts than buckets, each has a range of the ids of one bucket. A
file in a folder that is named as a bucket counts as one of it; any other file belongs to the bucket
that the CRC-32 of its path gives. Parts that go into an object store are cut by shards instead
(`dataset.shard_order.of_part`).
"""

import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from msgspec import Struct, to_builtins

from dafre_fast.core.atomic import writing_as
from dafre_fast.core.parts import Part
from dafre_fast.core.settings.running import Running, part_of
from dafre_fast.core.summaries import Problem, Step, Work
from dafre_fast.dataset.parts import Plan, finish, hash_of

BUCKETS = 1000
_ID, _BUCKET = r"^([0-9]{1,18})$", r"(?:^|/)0([0-9]{3})/[^/]*$"


def own_rows(asked: pl.DataFrame, running: Running) -> pl.DataFrame:
    """Return the rows (column `key`) that a run has to do, in their order: those of its part, or
    all of them.
    """
    part = part_of(running)
    return asked.filter(belongs(asked["key"], part)) if part else asked


def belongs(keys: pl.Series, part: Part) -> pl.Series:
    """Return for each key, an id in decimal digits or the path of a file, whether it belongs to a
    part.
    """
    ids = keys.str.extract(_ID).cast(pl.Int64)
    bucket = pl.coalesce(ids % BUCKETS, keys.str.extract(_BUCKET).cast(pl.Int64))
    rows = pl.DataFrame({"key": keys, "id": ids}).with_columns(bucket=bucket)
    strange = rows.filter(pl.col("bucket").is_null())["key"]
    others = [zlib.crc32(key.encode()) % BUCKETS for key in strange]
    numbers = rows["bucket"].scatter(rows["bucket"].is_null().arg_true(), others)
    if part.of <= BUCKETS:
        return numbers % part.of == part.number - 1
    rows = rows.with_columns(bucket=numbers, row=pl.int_range(pl.len())).sort("bucket", "id", "key")
    place, images = pl.int_range(pl.len()).over("bucket"), pl.len().over("bucket").cast(pl.Int64)
    parts = (part.of - 1 - pl.col("bucket")) // BUCKETS + 1
    number = pl.col("bucket") + BUCKETS * (place * parts // images)
    return rows.select("row", own=number == part.number - 1).sort("row")["own"]


class Facts(Struct, frozen=True):
    """Facts of a command about all images alike, needed when its parts are merged."""

    manifest: str | None = None
    """Path of the manifest, relative to the output; None if none is asked for."""
    funnel: Sequence[Step] = ()
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None


class Finishing(NamedTuple):
    """The results of all parts when they are merged: the plan of all, the rows of the whole, the
    summaries of the parts in order, and the work of all together.
    """

    plan: Plan
    rows: pl.DataFrame
    summaries: Sequence[Mapping[str, Any]]
    work: Work


class Share(NamedTuple):
    """A run of one part, to be recorded when it is finished."""

    output: Path
    part: Part
    began: float

    def place(self, path: Path | None) -> str | None:
        """Return a path relative to the output, which other machines may have elsewhere."""
        return None if path is None else os.path.relpath(path.absolute(), self.output.absolute())

    def record(
        self,
        command: str,
        settings: Mapping[str, Any],
        rows: pl.DataFrame,
        facts: Facts,
        summary: Struct,
    ) -> None:
        """Record that the part is finished (`dataset.parts.Plan`); `rows` are those of the whole.
        Raises OutputError.
        """
        plan = Plan(command, to_builtins(settings), hash_of(rows), to_builtins(facts))
        finish(self.output, self.part, plan, rows, summary, (self.began, time.time()))


@contextmanager
def sharing(output: Path, running: Running) -> Iterator[Share | None]:
    """Give the share of a run that does a part, None for one that does the whole. Meanwhile tables
    are written under temporary names of its own, since other parts may write the same.
    """
    part = part_of(running)
    if part is None:
        yield None
        return
    with writing_as(part.folder):
        yield Share(output, part, time.time())
