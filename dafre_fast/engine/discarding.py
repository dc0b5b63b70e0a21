"""Remove originals of which nothing is left to be made, in a dataset that does not keep them.

A worker removes each original as soon as its outcome is recorded (`engine.work.discard`). Here go
those that stayed: a run was killed between the two, kept its originals, or had other rules.
"""

import os
from contextlib import suppress

import polars as pl

from dafre_fast.core.layout import bucket
from dafre_fast.core.paths import to_text
from dafre_fast.core.walk import Walk
from dafre_fast.engine.originals import Originals


def discard_all(originals: Originals, fetched: pl.LazyFrame, spent: pl.LazyFrame) -> None:
    """Remove the originals of the images `spent` (column `key`), unless originals are kept.

    `fetched` are the last outcomes of fetching: a file that no source gave, or that has another
    size than it gave, is somebody else's and stays.
    """
    folder = originals.folder
    if originals.keep or folder is None:
        return
    on_disk = {to_text(name): name for name in Walk(folder)}
    given = fetched.filter(pl.col("reason").is_null(), pl.col("source").is_not_null())
    rows = given.join(spent, on="key", how="semi").select("key", "path", "bytes").collect()
    for key, path, size in rows.iter_rows():
        name = on_disk.get(f"{bucket(int(key))}/{path.rpartition('/')[2]}")
        if name:
            with suppress(OSError):
                if os.stat(folder / name).st_size == size:  # noqa: PTH116
                    (folder / name).unlink()
