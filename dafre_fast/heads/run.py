"""Run `heads`: metadata, candidates, originals, detection, tables."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from msgspec import to_builtins
from msgspec.structs import replace

from dafre_fast.core.atomic import scratch
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import BAD_RECORDS, FUNNEL, HEADS_TABLE, MANIFEST, ORIGINALS
from dafre_fast.core.records import Box
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import HeadsSummary, Judged, Step, Work
from dafre_fast.dataset.manifest import write_manifest
from dafre_fast.dataset.outcomes import status
from dafre_fast.engine.apart import refuse_source
from dafre_fast.engine.detection import Model, Use, detect_all, find_model
from dafre_fast.engine.inputs import open_metadata, open_originals
from dafre_fast.engine.observers import watching
from dafre_fast.heads.candidates import Chosen, choose
from dafre_fast.heads.evaluation import judge
from dafre_fast.heads.plot import draw_quality
from dafre_fast.heads.settings import Candidates, HeadsRun
from dafre_fast.heads.writing import single_heads, write_faces, write_tag_ids
from dafre_fast.tables.bad_rows import write_bad_rows
from dafre_fast.tables.faces import read_faces
from dafre_fast.tables.funnel import write_funnel
from dafre_fast.tables.heads import BOXES, Search, is_sure, write_heads
from dafre_fast.tables.marks import is_good
from dafre_fast.tables.writing import write_csv

FACES, TAG_IDS = "faces.tsv", "tagIds.tsv"
EVALUATION, QUALITY = "evaluation.csv", "evaluation.svg"


class Within(NamedTuple):
    """The dataset that heads are searched for: originals and ledger are its own."""

    folder: Path
    keep_originals: bool = True
    identity: str | None = None
    """Stands for the fingerprint of a source that has another address in each run."""


def heads(
    run: HeadsRun,
    rules: Candidates,
    detecting: Detecting,
    selection: Selection,
    fetching: Fetching,
    bounds: Bounds,
    running: Running,
    tell: Tell = silent,
    within: Within | None = None,
) -> HeadsSummary:
    """Search the originals of the posts chosen for heads, and write the tables.

    Without `within`, originals and ledger go into the folder of the tables.

    Raises UsageError if a setting is missing, or the model cannot be used; InputError if metadata
    or a table cannot be read; OutputError, SourceError and WorkerError as `detect_all` does.
    """
    if not fetching.metadata or not detecting.detector:
        raise UsageError(f"{'--detector' if fetching.metadata else '--metadata'} is needed")
    within = within or Within(run.output)
    refuse_source(run.source, within.folder)
    model = find_model(detecting, within.folder, fetching, tell)
    tell(Doing("reading metadata"))
    with scratch(run.output, "posts") as folder:
        chosen = choose(fetching.metadata, rules, selection.max_bad_rows, folder)
    asked = chosen.rows.select("id", "tag_id", key=pl.col("id").cast(pl.String))
    metadata = open_metadata(run.source, fetching, asked, selection)
    bad_rows = write_bad_rows(chosen.bad_rows, run.output / BAD_RECORDS)
    use = Use(detecting.count_threshold, selection.min_confidence)
    with watching("originals searched", tell) as watch:
        folder = within.folder / ORIGINALS
        originals = open_originals(run.source, folder, fetching, metadata, watch.tell)
        originals = originals._replace(
            keep=within.keep_originals, identity=within.identity or originals.identity
        )
        found, work = detect_all(
            asked, originals, model, use, bounds, running, within.folder, watch
        )
    tell(Doing("writing tables of heads"))
    boxes = _boxes(found, model)
    manifest = _manifest(found, boxes, detecting.count_threshold)
    write_manifest(manifest, run.output / MANIFEST)
    name = Path(detecting.detector.partition("?")[0]).name
    search = Search(name, detecting.count_threshold)
    funnel = _write(run.output, chosen, found, boxes, search)
    summary = _summary(manifest, work, funnel)
    if run.evaluate:
        tell(Doing("judging the heads found"))
        summary = replace(summary, judged=_evaluate(run.evaluate, run.output, found, boxes))
    return bad_rows.added_to(summary)


def _evaluate(
    faces: Path, output: Path, found: pl.DataFrame, boxes: pl.DataFrame
) -> Sequence[Judged]:
    """Judge boxes by those of faces.tsv, for the images that were searched; write table and plot.

    Raises InputError if the table cannot be read, or has none of these images.
    """
    searched = found.filter(pl.col("reason").is_null()).select("id")
    known = read_faces(faces).filter(is_good).join(searched, on="id", how="semi")
    if known.is_empty():
        raise InputError(f"{faces}: has a box of none of the {searched.height:,} images searched")
    judged = judge(boxes, known)
    write_csv(pl.DataFrame(map(to_builtins, judged)), output / EVALUATION)
    draw_quality(judged, output / QUALITY)
    return judged


def _boxes(found: pl.DataFrame, model: Model) -> pl.DataFrame:
    """Return a row per box; columns are `tables.heads.BOXES`."""
    box = pl.col("heads")
    edges = {name: box.list.get(place) for place, name in enumerate((*Box._fields, "score"))}
    rows = found.select("id", "tag_id", "heads").explode("heads").drop_nulls("heads")
    return (
        rows.with_columns(**edges, model=pl.lit(model.name)).select(*BOXES).cast(pl.Schema(BOXES))
    )


def _write(
    output: Path, chosen: Chosen, found: pl.DataFrame, boxes: pl.DataFrame, search: Search
) -> Sequence[Step]:
    """Write the tables of heads; return the funnel."""
    single = single_heads(boxes, search.count_threshold)
    readable = found.filter(pl.col("reason").is_null(), pl.col("tag_id").is_not_null())
    funnel = [
        *chosen.funnel,
        Step("readable", readable.height, readable["tag_id"].n_unique()),
        Step("exactly one head", single.height, single["tag_id"].n_unique()),
    ]
    write_faces(single, output / FACES)
    write_tag_ids(chosen.tags, output / TAG_IDS)
    write_heads(boxes, output / HEADS_TABLE, search)
    write_funnel(funnel, output / FUNNEL)
    return funnel


def _manifest(found: pl.DataFrame, boxes: pl.DataFrame, threshold: float) -> pl.DataFrame:
    counts = boxes.filter(is_sure(threshold)).group_by("id").agg(heads=pl.len())
    rows = found.drop("heads").join(counts, on="id", how="left", maintain_order="left")
    return rows.select(
        "id",
        "tag_id",
        status(),
        pl.col("detail").alias("error_message"),
        "original_width",
        "original_height",
        pl.when(pl.col("reason").is_null()).then(pl.col("heads").fill_null(0)).alias("heads"),
    )


def _summary(manifest: pl.DataFrame, work: Work, funnel: Sequence[Step]) -> HeadsSummary:
    refused = Counter(manifest.filter(pl.col("heads").is_null())["status"].to_list())
    counts = manifest["heads"].drop_nulls()
    return HeadsSummary(
        images=manifest.height,
        single=int((counts == 1).sum()),
        none=int((counts == 0).sum()),
        several=int((counts > 1).sum()),
        refused=dict(refused.most_common()),
        work=work,
        funnel=funnel,
    )
