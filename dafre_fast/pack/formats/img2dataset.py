"""`img2dataset`: what img2dataset writes with `--output_format webdataset`, for its users' loaders.

Shards `00000.tar` hold `{key}.jpg` (the first output), `{key}.{name}.jpg` (each further one),
`{key}.json` and, if there are captions, `{key}.txt`. The key is the number of the shard and the
place in it, as `000010005`. Rows are in the order of the manifest; a refused one has a place, and a
row in `00000.parquet`, but no member. `00000_stats.json` has the counts. Names, types and their
order are those of img2dataset 1.47 (`downloader.py`, `writer.py`, `logger.py`); `exif` is null.
"""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.core.atomic import File, replacing
from dafre_fast.core.reasons import SUCCESS, Reason
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import choose_outputs, members_of
from dafre_fast.dataset.samples import Damaged
from dafre_fast.dataset.tar_files import Tar
from dafre_fast.pack.part import REVISION, Format, Part, Reading, beside, digests
from dafre_fast.pack.rows import Packable, contents_of, made_of
from dafre_fast.pack.settings import PackRun
from dafre_fast.tables.writing import write_parquet

_NOT_DOWNLOADED, _NOT_RESIZED = "failed_to_download", "failed_to_resize"
_UNTIL_READ = [*Reason][: [*Reason].index(Reason.NOT_AN_IMAGE)]
"""The reasons why there are no bytes of an original to decode: `Reason` has them first."""
_CAPTION = "caption"
_RESERVED = (
    *("key", "status", "error_message", "width", "height", "original_width", "original_height"),
    *("exif", "sha256"),
)
"""The columns that follow the address, in their order."""
_SIZES = ("width", "height", "original_width", "original_height")


def _parts(run: PackRun, packable: Packable) -> list[Part]:
    outputs = choose_outputs(packable.outputs, run.images)
    digits = math.ceil(math.log10(run.shard_size))
    parts = list[Part]()
    for number, rows in enumerate(packable.asked.iter_slices(run.shard_size)):
        first = number * 10**digits
        keys = [f"{first + place:0{5 + digits}d}" for place in range(rows.height)]
        write = partial(_write, rows, _described(rows, packable.further, keys, outputs[0]), outputs)
        contents = contents_of(rows, REVISION, run.format, run.images, digits)
        parts.append(Part(f"{number:05d}", made_of(rows), outputs, contents, write))
    return parts


def _described(
    rows: pl.DataFrame, further: Sequence[str], keys: Sequence[str], output: Output
) -> pl.DataFrame:
    """Return the rows with the columns of img2dataset: those of the table (`further`), caption,
    address, and what became of it.
    """
    status, prefix = pl.col("status"), prefix_of(output.name)
    no_bytes = status.is_in([reason.value for reason in _UNTIL_READ])
    failed = pl.when(no_bytes).then(pl.lit(_NOT_DOWNLOADED)).otherwise(pl.lit(_NOT_RESIZED))
    said = pl.concat_str("status", "error_message", separator=": ", ignore_nulls=True)
    return rows.select(
        *_own(rows.columns, further),
        pl.col("url").fill_null(""),
        pl.Series("key", keys, pl.String),
        status=pl.when(status == SUCCESS).then("status").otherwise(failed),
        error_message=pl.when(status != SUCCESS).then(said),
        width=pl.col(f"{prefix}width").cast(pl.Int32),
        height=pl.col(f"{prefix}height").cast(pl.Int32),
        original_width=pl.col("original_width").cast(pl.Int32),
        original_height=pl.col("original_height").cast(pl.Int32),
        exif=pl.lit(None, pl.String),
        sha256=pl.col("original_sha256"),
    )


def _own(names: Sequence[str], further: Sequence[str]) -> list[pl.Expr]:
    """Return the columns that say which image it is, and those of its table, the caption last."""
    of_image = [name for name in ("id", "class_id", "class_name", "split") if name in names]
    of_table = [name for name in further if name != _CAPTION]
    caption = [_CAPTION] if _CAPTION in further else []
    renamed = (
        pl.col(name).alias(f"table_{name}" if name in _RESERVED else name) for name in of_table
    )
    return [*map(pl.col, of_image), *renamed, *map(pl.col, caption)]


def _write(
    asked: pl.DataFrame,
    described: pl.DataFrame,
    outputs: tuple[Output, ...],
    path: Path,
    samples: Reading,
) -> dict[str, File]:
    began = time.time()
    rows = dict(zip(asked["id"], described.iter_rows(named=True), strict=True))
    with replacing(beside(path, ".tar")) as part, part.open("wb") as file:
        tar = Tar(file)
        for sample in samples:
            _add_sample(tar, rows[sample.row["id"]], sample.files, outputs)
        tar.close()
    for damaged in samples.damaged:
        rows[damaged.id] |= _as_damaged(damaged)
    write_parquet(pl.DataFrame([*rows.values()], schema=described.schema), beside(path, ".parquet"))
    with replacing(beside(path, "_stats.json")) as part:
        part.write_bytes(_counts(asked, samples.damaged, [*rows.values()], began))
    return digests(path, ".tar", ".parquet", "_stats.json")


def _add_sample(
    tar: Tar, row: Mapping[str, object], files: Sequence[bytes], outputs: tuple[Output, ...]
) -> None:
    key = row["key"]
    for member, data in zip(members_of(outputs).values(), files, strict=True):
        tar.add(f"{key}.{member}", data)
    tar.add(f"{key}.json", msgspec.json.format(msgspec.json.encode(row), indent=4))
    if _CAPTION in row:
        tar.add(f"{key}.txt", str(row[_CAPTION] or "").encode())


def _as_damaged(damaged: Damaged) -> dict[str, object]:
    said = f"{damaged.flaw.value}: {damaged.file}"
    nothing = dict.fromkeys((*_SIZES, "sha256"))
    return {"status": _NOT_RESIZED, "error_message": said, **nothing}


def _counts(
    asked: pl.DataFrame,
    damaged: Sequence[Damaged],
    rows: Sequence[Mapping[str, object]],
    began: float,
) -> bytes:
    """Return the counts of a shard as JSON; `status_dict` has refusals by reason."""
    statuses, ended = Counter(row["status"] for row in rows), time.time()
    reasons = Counter(asked["status"]) + Counter(one.flaw.value for one in damaged)
    reasons[SUCCESS] -= len(damaged)
    counts = {
        "count": len(rows),
        "successes": statuses[SUCCESS],
        _NOT_DOWNLOADED: statuses[_NOT_DOWNLOADED],
        _NOT_RESIZED: statuses[_NOT_RESIZED],
        "duration": ended - began,
        "start_time": began,
        "end_time": ended,
        "status_dict": dict(reasons.most_common()),
    }
    return msgspec.json.format(msgspec.json.encode(counts), indent=4)


FORMAT = Format(_parts, in_order=True, columns=("url", "error_message"))
