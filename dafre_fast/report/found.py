"""Count the heads that a detector found, and choose images to show with their boxes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import FUNNEL, HEADS, HEADS_TABLE, MANIFEST, STATE
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.records import Box, Head
from dafre_fast.core.settings.detecting import Counting
from dafre_fast.core.summaries import Funnel
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.report.inputs import Records
from dafre_fast.report.overview import rank
from dafre_fast.report.pictures import ReportPictures
from dafre_fast.report.records import (
    Bars,
    Example,
    FoundHeads,
    Refused,
    Searched,
    SearchedSheet,
)
from dafre_fast.report.settings import ReportRun
from dafre_fast.tables.heads import Search, is_sure, read_heads, read_search
from dafre_fast.tables.marks import is_good
from dafre_fast.tables.tag_ids import read_tags
from dafre_fast.tables.unreadable import reading

_NEEDED = ("id", "tag_id", "status", "error_message", "original_width", "original_height", "heads")
_SHORT_SIDE = (
    (pl.col("right") - pl.col("left")) * pl.col("original_width"),
    (pl.col("bottom") - pl.col("top")) * pl.col("original_height"),
)
_SCORES = np.linspace(0, 1, 51)
_BINS_PER_OCTAVE = 4
_TAG_IDS = "tagIds.tsv"
_SEARCHED = pl.col("status") == SUCCESS
_KINDS: Mapping[str, pl.Expr] = {
    "exactly one head": pl.col("heads") == 1,
    "no head": pl.col("heads") == 0,
    "several heads": pl.col("heads") > 1,
}


def folder_of_heads(output: Path) -> Path | None:
    """Return the folder with the tables of heads: that of a dataset, or else the folder itself;
    None if there are none.
    """
    return next((one for one in (output / HEADS, output) if (one / HEADS_TABLE).exists()), None)


def is_search(output: Path) -> bool:
    """Return whether a folder is an output of `heads` alone, and no dataset."""
    if not (output / HEADS_TABLE).exists():
        return False
    columns: Mapping[str, pl.DataType] = {}
    with suppress(OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        columns = pl.read_parquet_schema(output / MANIFEST)
    return "class_id" not in columns


class _Tables(NamedTuple):
    """The tables of a search: boxes (`tables.heads`), manifest, and names by tag id."""

    boxes: pl.DataFrame
    manifest: pl.DataFrame
    names: Mapping[int, str]
    search: Search


def found_heads(
    run: ReportRun,
    folder: Path,
    min_confidence: float,
    records: Records,
    pictures: ReportPictures,
) -> FoundHeads:
    """Return what the page shows of the heads found for `run.output`, whose tables are in `folder`.

    Raises InputError if the table of heads or its manifest cannot be read.
    """
    tables = _read(folder, records)
    boxes, manifest, threshold = tables.boxes, tables.manifest, tables.search.count_threshold
    counted = boxes.filter(is_sure(threshold))
    single, none, several = (manifest.filter(kind).height for kind in _KINDS.values())
    funnel = records.decoded_at(folder / FUNNEL, FUNNEL, Funnel, "funnel of heads")
    return FoundHeads(
        images=manifest.height,
        single=single,
        none=none,
        several=several,
        refused=_refused(tables, run),
        boxes=boxes.height,
        counted=counted.height,
        detector=tables.search.detector,
        count_threshold=threshold,
        min_confidence=min_confidence,
        funnel=funnel.steps if funnel else (),
        scores=_bars(boxes["score"], boxes["score"] >= min_confidence, _SCORES),
        sizes=_sizes(counted, manifest, min_confidence),
        sheets=[*_sheets(tables, run, pictures)],
    )


def _read(folder: Path, records: Records) -> _Tables:
    path = folder / HEADS_TABLE
    boxes = read_heads(path).filter(is_good)
    with reading(folder / MANIFEST):
        manifest = pl.read_parquet(folder / MANIFEST)
    if missing := [name for name in _NEEDED if name not in manifest.columns]:
        raise InputError(f"{folder / MANIFEST}: has no column {', '.join(missing)}")
    names = dict[int, str]()
    try:
        tags = read_tags(folder / _TAG_IDS).filter(is_good)
        names = dict(tags.select("tag_id", "class_name").iter_rows())
    except InputError:
        records.unread.add(_TAG_IDS)
    search = read_search(path) or Search("", Counting().count_threshold)
    return _Tables(boxes, manifest.select(_NEEDED), names, search)


def _refused(tables: _Tables, run: ReportRun) -> list[Refused]:
    refused = tables.manifest.filter(~_SEARCHED)
    counts = refused.group_by("status").len().sort("len", "status", descending=[True, False])
    return [
        Refused(
            reason,
            images,
            [
                Example(image, "", _name(tables, tag), detail or "")
                for image, tag, detail in _first(refused.filter(status=reason), run, run.examples)
                .select("id", "tag_id", "error_message")
                .iter_rows()
            ],
        )
        for reason, images in counts.iter_rows()
    ]


def _first(rows: pl.DataFrame, run: ReportRun, number: int) -> pl.DataFrame:
    return rows.with_columns(rank=rank(run.seed)).sort("rank", "id").head(number)


def _name(tables: _Tables, tag: int | None) -> str:
    return "several characters" if tag is None else tables.names.get(tag, f"tag {tag}")


def _sheets(tables: _Tables, run: ReportRun, pictures: ReportPictures) -> Iterator[SearchedSheet]:
    chosen = {
        name: _first(tables.manifest.filter(kind), run, run.sheet) for name, kind in _KINDS.items()
    }
    ids = pl.concat(rows["id"] for rows in chosen.values())
    originals = _recorded(run.output, ids)
    heads = tables.boxes.filter(pl.col("id").is_in(ids.implode()))
    counts = is_sure(tables.search.count_threshold)
    for name, rows in chosen.items():
        images = tables.manifest.filter(_KINDS[name]).height
        shown = list[Searched]()
        for image, tag in rows.select("id", "tag_id").iter_rows():
            own = heads.filter(id=image)
            sure = own.filter(counts)
            drawn = sure if sure.height else own.sort("score", descending=True).head(1)
            picture, absent = pictures.searched(image, originals.get(str(image)))
            example = Example(image, "", _name(tables, tag))
            shown.append(Searched(example, _drawn(drawn), not sure.height, picture, absent))
        yield SearchedSheet(name, images, shown)


def _drawn(rows: pl.DataFrame) -> Sequence[Head]:
    edges = rows.select(*Box._fields, "score").iter_rows()
    return [
        Head(Box(*(min(max(edge, 0.0), 1.0) for edge in box)), score)
        for *box, score in edges
        if np.isfinite(box).all()
    ]


def _recorded(output: Path, ids: pl.Series) -> dict[str, str]:
    """Return the paths, by key, at which these images lay when they were searched."""
    keys = ids.cast(pl.String).implode()
    try:
        found = last_outcomes(output / STATE / LEDGER, "detect").filter(pl.col("key").is_in(keys))
        return dict(found.select("key", "original").drop_nulls().collect().iter_rows())
    except (OSError, pl.exceptions.PolarsError):  # `Records.marks` says that it is damaged
        return {}


def _bars(
    values: pl.Series, sure: pl.Series, edges: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Bars:
    counts = (
        np.histogram(one.to_numpy(), edges)[0].tolist() for one in (values, values.filter(sure))
    )
    return Bars(edges.tolist(), *counts)


def _sizes(counted: pl.DataFrame, manifest: pl.DataFrame, min_confidence: float) -> Bars:
    sides = manifest.select("id", "original_width", "original_height")
    rows = counted.join(sides, on="id", how="inner").select(
        "score", side=pl.min_horizontal(*_SHORT_SIDE)
    )
    rows = rows.filter(pl.col("side").is_finite(), pl.col("side") > 0)
    octaves = np.log2(rows["side"].clip(1, 2**17).to_numpy()) * _BINS_PER_OCTAVE
    low, high = (
        (int(np.floor(octaves.min())), int(np.floor(octaves.max())) + 1) if len(octaves) else (0, 1)
    )
    edges = 2.0 ** (np.arange(low, high + 1) / _BINS_PER_OCTAVE)
    return _bars(rows["side"].clip(edges[0], edges[-1]), rows["score"] >= min_confidence, edges)
